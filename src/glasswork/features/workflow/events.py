from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import StatusRead


class _OfStatus(Event):
    schema = StatusRead


class StatusCreated(_OfStatus, Created):
    type = "status.created"


class StatusUpdated(_OfStatus, Updated):
    type = "status.updated"


class StatusDeleted(_OfStatus, Deleted):
    type = "status.deleted"
