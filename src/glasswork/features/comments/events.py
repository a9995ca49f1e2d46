from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import CommentStored


class _OfComment(Event):
    schema = CommentStored


class CommentCreated(_OfComment, Created):
    type = "comment.created"


class CommentUpdated(_OfComment, Updated):
    type = "comment.updated"


class CommentDeleted(_OfComment, Deleted):
    type = "comment.deleted"


class CommentRestored(_OfComment, Created):
    type = "comment.restored"
