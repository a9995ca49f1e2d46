from typing import Any, ClassVar

from pydantic import BaseModel

from glasswork.core.events import Event

from .schemas import AddressRequested, Unchanged


class _OfCredentials(Event):
    """The subject is the user; what is secret is in no event."""

    schema: ClassVar[type[BaseModel]] = Unchanged

    @classmethod
    def ids(cls, resource: Any) -> dict[str, Any]:
        return {"workspace_id": None, "subject_id": resource.id}


class PasswordChanged(_OfCredentials):
    type = "user.password_changed"


class PasswordForgot(_OfCredentials):
    """Of an address that nobody has the subject is nobody."""

    type = "user.password_forgotten"


class AddressChangeRequested(_OfCredentials):
    type = "user.address_change_requested"
    schema = AddressRequested
