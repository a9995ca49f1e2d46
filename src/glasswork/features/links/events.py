from glasswork.core.events import Created, Deleted, Event

from .schemas import LinkRead


class _OfLink(Event):
    schema = LinkRead


class LinkCreated(_OfLink, Created):
    type = "link.created"


class LinkDeleted(_OfLink, Deleted):
    type = "link.deleted"
