from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Input, InvitationId, Line, Output, ShownOnce, UserId, WorkspaceId, optional
from glasswork.features.accounts.schemas import DateOfBirth, Email, Password, Username
from glasswork.features.accounts.schemas import Name as UserName

from .models import Role

Name = Annotated[Line, Field(max_length=100, examples=["Operations"])]
InvitationToken = Annotated[SecretStr, Field(min_length=1, max_length=100)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$", examples=["operations"])]


class WorkspaceCreate(Input):
    name: Name
    slug: Slug


class WorkspaceUpdate(Input):
    name: Name = optional()
    slug: Slug = optional()


class WorkspaceRead(Output):
    id: WorkspaceId
    name: str
    slug: str
    created_by: UserId
    version: int
    created_at: datetime
    updated_at: datetime


class WorkspaceQuery(PageQuery):
    sort: str = sort_by("name", "slug", "created_at", default="name")


class MemberUpdate(Input):
    role: Role = optional()


class MemberRead(Output):
    workspace_id: WorkspaceId
    user_id: UserId
    username: str
    name: str
    email: str
    role: Role
    version: int
    created_at: datetime
    updated_at: datetime


class MemberQuery(PageQuery):
    sort: str = sort_by("username", "created_at", default="username")


class InvitationCreate(Input):
    email: Email
    role: Role


class InvitationRead(Output):
    id: InvitationId
    workspace_id: WorkspaceId
    email: str
    role: Role
    invited_by: UserId
    expires_at: datetime
    version: int
    created_at: datetime
    updated_at: datetime


class InvitationIssued(InvitationRead):
    token: Annotated[
        ShownOnce,
        Field(description="For the invited person. Shown this once: null in an answer that is replayed."),
    ]


class InvitationQuery(PageQuery):
    sort: str = sort_by("created_at", default="-created_at")


class InvitationAcceptance(Input):
    token: InvitationToken


class InvitedRegistration(Input):
    """The e-mail address is the one that was invited."""

    token: InvitationToken
    username: Username
    name: UserName
    password: Password
    date_of_birth: DateOfBirth = None


class OwnershipTransfer(Input):
    user_id: UserId = Field(description="The member who becomes an owner in my place.")
