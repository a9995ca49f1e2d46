from typing import Any

from glasswork.core.events import Created, Event, Updated

from .schemas import UserRead


class _OfUser(Event):
    schema = UserRead

    @classmethod
    def ids(cls, resource: Any) -> dict[str, Any]:
        return {"workspace_id": None, "subject_id": resource.id}


class UserCreated(_OfUser, Created):
    type = "user.created"


class UserUpdated(_OfUser, Updated):
    type = "user.updated"
