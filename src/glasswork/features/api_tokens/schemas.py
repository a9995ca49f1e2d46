from datetime import datetime
from typing import Annotated

from pydantic import Field

from glasswork.core.actor import Scope
from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import ApiTokenId, Input, JsonNumber, Line, Output, UserId, WorkspaceId

Name = Annotated[Line, Field(max_length=100, examples=["nightly report"])]
Days = Annotated[int, Field(ge=1, le=366), JsonNumber]


class ApiTokenCreate(Input):
    name: Name
    scopes: set[Scope] = Field(min_length=1, examples=[["tasks:read"]])
    workspace_id: WorkspaceId | None = Field(
        default=None, description="The only workspace in which it acts; null for all of mine."
    )
    expires_in_days: Days = 90


class ApiTokenRead(Output):
    id: ApiTokenId
    user_id: UserId
    name: str
    scopes: list[Scope]
    workspace_id: WorkspaceId | None
    expires_at: datetime
    last_used_at: datetime | None = Field(description="To the minute.")
    version: int
    created_at: datetime
    updated_at: datetime


class ApiTokenIssued(ApiTokenRead):
    token: Annotated[str, Field(description="`Authorization: Bearer gwk_...`. Shown this once.")]


class ApiTokenQuery(PageQuery):
    sort: str = sort_by("created_at", default="-created_at")
