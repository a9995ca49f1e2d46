from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import (
    Input,
    JsonNumber,
    LabelId,
    Line,
    Output,
    ProjectId,
    TaskId,
    Text,
    Timestamp,
    UserId,
    WorkspaceId,
    optional,
)

from .models import Priority

Title = Annotated[Line, Field(max_length=256, examples=["Write the changelog"])]
Description = Annotated[Text, Field(max_length=65_536, description="Markdown.")]
StatusKey = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Key of the status.", examples=["in_progress"])
]
Estimate = Annotated[int, Field(ge=0, le=1_000_000), JsonNumber]
LabelIds = Annotated[
    list[LabelId],
    Field(max_length=50),
    AfterValidator(lambda ids: sorted(set(ids))),  # as they are shown, so that the same ones compare equal
]
Key = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,8}$", examples=["OPS-42"])]

SORT_KEYS = ("number", "title", "status", "priority", "due_at", "start_at", "created_at", "updated_at")


class TaskCreate(Input):
    title: Title
    description: Description = ""
    status: StatusKey | None = Field(None, description="Key of the status; the project's first if null.")
    priority: Priority = Priority.NONE
    assignee_id: UserId | None = None
    label_ids: LabelIds = Field([])
    due_at: Timestamp | None = None
    start_at: Timestamp | None = None
    estimate_minutes: Estimate | None = None


class TaskUpdate(Input):
    title: Title = optional()
    description: Description = optional()
    status: StatusKey = optional()
    priority: Priority = optional()
    assignee_id: UserId | None = optional()
    label_ids: LabelIds = optional()
    due_at: Timestamp | None = optional()
    start_at: Timestamp | None = optional()
    estimate_minutes: Estimate | None = optional()


class External(Output):
    """Where a task came from, and whom it named there."""

    source: str = Field(examples=["github.com/quicwg/ops-drafts"])
    id: str = Field(examples=["17"])
    url: str
    author: str | None
    assignees: list[str]


class TaskRead(Output):
    id: TaskId
    workspace_id: WorkspaceId
    project_id: ProjectId
    key: str = Field(examples=["OPS-42"])
    title: str
    description: str
    status: str
    priority: Priority
    assignee_id: UserId | None
    label_ids: list[LabelId]
    due_at: datetime | None
    start_at: datetime | None
    estimate_minutes: int | None
    external: External | None
    version: int
    created_by: UserId
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


class TaskQuery(PageQuery):
    """Of several values of one filter any may hold; different filters must all hold."""

    q: Annotated[Text, Field(max_length=500)] | None = Field(
        None, description='Words of title and description: `port "exact phrase" -without or`.'
    )
    status: list[StatusKey] = Field([], max_length=50)
    priority: list[Priority] = Field([], max_length=50)
    assignee_id: list[UserId | Literal["me", "null"]] = Field([], max_length=50)
    label_id: list[LabelId | Literal["null"]] = Field([], max_length=50)
    due_after: Timestamp | None = Field(None, description="From this moment on.")
    due_before: Timestamp | None = Field(None, description="Before this moment.")
    start_after: Timestamp | None = None
    start_before: Timestamp | None = None
    created_after: Timestamp | None = None
    created_before: Timestamp | None = None
    updated_after: Timestamp | None = None
    updated_before: Timestamp | None = None
    completed_after: Timestamp | None = None
    completed_before: Timestamp | None = None
    sort: str = sort_by(*SORT_KEYS, default="-created_at")


class WorkspaceTaskQuery(TaskQuery):
    project_id: list[ProjectId] = Field([], max_length=50)


class TaskImport(Input):
    """A task from elsewhere, with its past."""

    number: Annotated[int, Field(ge=1, le=999_999_999)]
    title: Title
    description: Description
    is_done: bool
    label_ids: LabelIds
    external: External
    created_at: Timestamp
    updated_at: Timestamp
    completed_at: Timestamp | None
