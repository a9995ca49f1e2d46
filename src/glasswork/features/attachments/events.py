from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import AttachmentRead


class _OfAttachment(Event):
    schema = AttachmentRead


class AttachmentCreated(_OfAttachment, Created):
    type = "attachment.created"


class AttachmentUpdated(_OfAttachment, Updated):
    type = "attachment.updated"


class AttachmentDeleted(_OfAttachment, Deleted):
    type = "attachment.deleted"
