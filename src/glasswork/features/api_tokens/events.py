from typing import Any

from glasswork.core.events import Created, Deleted, Event

from .schemas import ApiTokenRead


class _OfApiToken(Event):
    schema = ApiTokenRead

    @classmethod
    def ids(cls, resource: Any) -> dict[str, Any]:
        return {"workspace_id": None, "subject_id": resource.id}


class ApiTokenCreated(_OfApiToken, Created):
    type = "api_token.created"


class ApiTokenDeleted(_OfApiToken, Deleted):
    type = "api_token.deleted"
