from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr

from glasswork.core.json_pointers import POINTER
from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import (
    HookId,
    Input,
    Line,
    Output,
    ProjectId,
    ShownOnce,
    UserId,
    WorkspaceId,
    optional,
)
from glasswork.core.signatures import read_secret
from glasswork.features.tasks.models import Priority

from .models import HookKind

Name = Annotated[Line, Field(max_length=100, examples=["Alerts of production"])]
Pointer = Annotated[
    str,
    Field(
        max_length=500,
        pattern=POINTER,
        description="A JSON Pointer (RFC 6901) into the message.",
        examples=["/issue/title"],
    ),
]


class PriorityMapping(Input):
    pointer: Pointer
    values: dict[str, Priority] = Field(
        max_length=100,
        description="Which priority a value stands for; one that is not here is taken as it is.",
        examples=[{"critical": "urgent"}],
    )


class TaskMapping(Input):
    """Where the fields of the task stand in a message; what is not there is left out, but the title."""

    title: Pointer
    description: Pointer | None = None
    priority: Pointer | PriorityMapping | None = None
    due_at: Pointer | None = None


def _readable(secret: SecretStr) -> SecretStr:
    read_secret(secret.get_secret_value())
    return secret


GithubSecret = Annotated[SecretStr, Field(min_length=16, max_length=100)]
JsonSecret = Annotated[
    SecretStr,
    Field(
        max_length=100,
        description="`whsec_` and 24 to 64 bytes in Base64.",
        json_schema_extra={"pattern": r"^whsec_[A-Za-z0-9+/]{32,88}={0,2}$"},
    ),
    AfterValidator(_readable),
]


class GithubHookCreate(Input):
    """Takes the webhooks of a GitHub repository."""

    kind: Literal[HookKind.GITHUB]
    name: Name
    project_id: ProjectId | None = Field(
        None, description="The only project whose tasks it changes; null for all of the workspace."
    )
    secret: GithubSecret | None = Field(None, description="One is made if null.")


class JsonHookCreate(Input):
    """Takes signed JSON of any kind, and makes a task of each message."""

    kind: Literal[HookKind.JSON]
    name: Name
    project_id: ProjectId
    mapping: TaskMapping
    secret: JsonSecret | None = Field(None, description="One is made if null.")


HookCreate = Annotated[GithubHookCreate | JsonHookCreate, Field(discriminator="kind")]


class HookUpdate(Input):
    """`kind` stays as it was made."""

    name: Name = optional()
    project_id: ProjectId | None = optional()
    mapping: TaskMapping = optional()


class HookStored(Output):
    """As events have it."""

    id: HookId
    workspace_id: WorkspaceId
    project_id: ProjectId | None
    kind: HookKind
    name: str
    mapping: TaskMapping | None
    previous_until: datetime | None = Field(
        description="Until then the secret before the present one is taken too."
    )
    version: int
    created_by: UserId = Field(description="For whom it acts.")
    created_at: datetime
    updated_at: datetime


class HookRead(HookStored):
    url: str = Field(description="Where the messages go, by POST.")


class HookIssued(HookRead):
    secret: Annotated[
        ShownOnce,
        Field(description="For the sender. Shown this once: null in an answer that is replayed."),
    ]


class HookQuery(PageQuery):
    sort: str = sort_by("name", "created_at", default="created_at")


@dataclass(frozen=True, slots=True)
class OpenHook:
    """What a message for it is judged by."""

    id: UUID
    workspace_id: UUID
    project_id: UUID | None
    kind: HookKind
    mapping: TaskMapping | None
    created_by: UUID
    secrets: Sequence[bytes]
    now: datetime
