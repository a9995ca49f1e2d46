from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import (
    Color,
    Input,
    JsonNumber,
    Line,
    Output,
    ProjectId,
    Reference,
    StatusId,
    WorkspaceId,
    optional,
)
from glasswork.features.projects.models import MAX_STATUSES, Category

NewStatusKey = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Key of the status.", examples=["in_progress"])
]
StatusKey = Annotated[NewStatusKey, Reference("status_key")]
Name = Annotated[Line, Field(max_length=100, examples=["In review"])]
Position = Annotated[
    int,
    Field(ge=0, lt=MAX_STATUSES, description="From 0 for the first; those behind it make room."),
    JsonNumber,
]
Next = Annotated[
    list[StatusKey],
    Field(
        max_length=MAX_STATUSES,
        description="Keys of the statuses that may follow it; any may if null, and none if empty.",
    ),
    AfterValidator(lambda keys: sorted(set(keys))),  # as they are shown, so that the same ones compare equal
]


class StatusCreate(Input):
    """`key` and `category` cannot be changed afterwards: tasks, filters and other programs rely on them."""

    key: NewStatusKey
    name: Name
    category: Category
    color: Color = "#8c8c8c"
    position: Position | None = Field(None, description="From 0 for the first; behind all if null.")
    next: Next | None = None


class StatusUpdate(Input):
    """`key` and `category` stay as they were made."""

    name: Name = optional()
    color: Color = optional()
    position: Position = optional()
    next: Next | None = optional()


class StatusRead(Output):
    id: StatusId
    workspace_id: WorkspaceId
    project_id: ProjectId
    key: str
    name: str
    category: Category
    color: str
    position: int
    next: list[str] | None = Field(description="Keys of the statuses that may follow it; null: any may.")
    version: int
    created_at: datetime
    updated_at: datetime


class StatusQuery(PageQuery):
    sort: str = sort_by("position", default="position")
