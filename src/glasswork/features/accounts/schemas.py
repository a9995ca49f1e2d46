from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, EmailStr, Field, SecretStr

from glasswork.core import passwords
from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Day, Input, Line, Output, SessionId, UserId, optional

from .models import SystemRole


def _bare_address(value: object) -> object:
    if isinstance(value, str) and "<" in value:
        raise ValueError("must be an address without a name around it")
    return value


Email = Annotated[
    EmailStr, Field(max_length=254, examples=["ada@example.com"]), BeforeValidator(_bare_address)
]
Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{3,20}$", examples=["ada"])]
Name = Annotated[Line, Field(max_length=100, examples=["Ada Lovelace"])]


def _is_text(password: SecretStr) -> SecretStr:
    if not passwords.is_text(password.get_secret_value()):
        raise ValueError("must be text, without lone surrogates")
    return password


Password = Annotated[
    SecretStr,
    AfterValidator(_is_text),
    Field(min_length=8, max_length=passwords.MAX_LENGTH, examples=["correct horse battery staple"]),
]
KnownPassword = Annotated[
    SecretStr, AfterValidator(_is_text), Field(min_length=1, max_length=passwords.MAX_LENGTH)
]
"""One that is compared with what is stored, and so is bound by no rule."""
DateOfBirth = Annotated[
    Day | None,
    Field(description="Needed where there is a minimum age; it is compared, and not kept."),
]
RefreshToken = Annotated[SecretStr, Field(min_length=1, max_length=256)]


class Registration(Input):
    email: Email
    username: Username
    name: Name
    password: Password
    date_of_birth: DateOfBirth = None


class UserUpdate(Input):
    name: Name = optional()
    username: Username = optional()


class UserRead(Output):
    id: UserId
    email: str
    username: str
    name: str
    role: SystemRole
    is_active: bool
    email_verified_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class Refresh(Input):
    refresh_token: RefreshToken


class SessionRead(Output):
    id: SessionId
    device: str | None = Field(description="What it calls itself.", examples=["curl/8.5.0"])
    created_at: datetime
    last_used_at: datetime = Field(
        description="When its tokens were last exchanged, every 15 minutes at most."
    )
    is_current: bool = Field(description="Whether it is the one that asks.")


class SessionQuery(PageQuery):
    sort: str = sort_by("created_at", "last_used_at", default="-last_used_at")


class TokenPair(Output):
    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: Annotated[int, Field(description="Seconds until the access token expires.")]


class UserAdministration(Input):
    role: SystemRole = optional()
    is_active: bool = optional()


class UserQuery(PageQuery):
    sort: str = sort_by("created_at", "username", default="created_at")
