from glasswork.core.events import Created, Deleted, Event

from .schemas import TaskLinkRead


class _OfLink(Event):
    schema = TaskLinkRead


class LinkCreated(_OfLink, Created):
    type = "link.created"


class LinkDeleted(_OfLink, Deleted):
    type = "link.deleted"
