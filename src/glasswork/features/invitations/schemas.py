from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Input, InvitationId, Output, ShownOnce, UserId, WorkspaceId
from glasswork.features.accounts.schemas import DateOfBirth, Email, Name, Password, Username
from glasswork.features.workspaces.models import Role

InvitationToken = Annotated[SecretStr, Field(min_length=1, max_length=100)]


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
    name: Name
    password: Password
    date_of_birth: DateOfBirth = None
