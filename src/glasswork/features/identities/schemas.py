from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import IdentityId, Output, UserId

ProviderName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$", examples=["google"])]


class ProviderRead(Output):
    name: str


class AuthorizationRead(Output):
    authorization_url: str = Field(description="Where the browser goes next, with the cookie of this answer.")


class Returned(BaseModel):
    """What a provider sends the browser back with; it may add what it likes."""

    model_config = ConfigDict(extra="allow")

    code: Annotated[str, Field(max_length=4096)] | None = None
    state: Annotated[str, Field(max_length=256)] | None = None
    error: Annotated[str, Field(max_length=256)] | None = None


class Attempt(BaseModel):
    """What only the browser has that was sent to the provider: sealed in its cookie."""

    provider: str
    state: str
    nonce: str
    verifier: str
    user_id: UUID | None = None
    session_id: UUID | None = None


class IdentityRead(Output):
    id: IdentityId
    user_id: UserId
    provider: str
    email: str | None = Field(description="As the provider said when it was linked.")
    created_at: datetime
    last_used_at: datetime


class IdentityQuery(PageQuery):
    sort: str = sort_by("created_at", default="created_at")
