from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import TaskRead


class _OfTask(Event):
    schema = TaskRead


class TaskCreated(_OfTask, Created):
    type = "task.created"


class TaskUpdated(_OfTask, Updated):
    type = "task.updated"


class TaskDeleted(_OfTask, Deleted):
    type = "task.deleted"


class TaskRestored(_OfTask, Created):
    type = "task.restored"
