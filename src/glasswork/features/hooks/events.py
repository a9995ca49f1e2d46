from glasswork.core.events import Created, Deleted, Event, Updated

from .schemas import HookStored


class _OfHook(Event):
    schema = HookStored


class HookCreated(_OfHook, Created):
    type = "hook.created"


class HookUpdated(_OfHook, Updated):
    type = "hook.updated"


class HookDeleted(_OfHook, Deleted):
    type = "hook.deleted"
