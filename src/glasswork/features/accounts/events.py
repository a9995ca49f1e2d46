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


class UserDeleted(_OfUser):
    """It says nothing of who it was."""

    type = "user.deleted"


class SessionReused(_OfUser):
    """An old refresh token was presented: the session has ended, and its owner is told."""

    type = "user.session_reused"


class UserUpdated(_OfUser, Updated):
    type = "user.updated"
