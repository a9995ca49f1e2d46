from typing import Any

from glasswork.core.events import Created, Deleted, Event

from .schemas import IdentityRead


class _OfIdentity(Event):
    schema = IdentityRead

    @classmethod
    def ids(cls, resource: Any) -> dict[str, Any]:
        return {"workspace_id": None, "subject_id": resource.id}


class IdentityCreated(_OfIdentity, Created):
    type = "identity.created"


class IdentityDeleted(_OfIdentity, Deleted):
    type = "identity.deleted"
