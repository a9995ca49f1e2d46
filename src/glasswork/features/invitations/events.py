from glasswork.core.events import Created, Deleted, Event

from .schemas import InvitationRead


class _OfInvitation(Event):
    schema = InvitationRead


class InvitationCreated(_OfInvitation, Created):
    type = "invitation.created"


class InvitationDeleted(_OfInvitation, Deleted):
    type = "invitation.deleted"
