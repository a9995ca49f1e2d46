from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from glasswork.core.schemas import (
    Input,
    JsonNumber,
    LabelId,
    Line,
    Output,
    ProjectId,
    Reference,
    TaskId,
    Text,
    Timestamp,
    UserId,
    WorkspaceId,
    optional,
)
from glasswork.features.workflow.schemas import StatusKey

from .models import Priority

Title = Annotated[Line, Field(max_length=256, examples=["Write the changelog"])]
Description = Annotated[Text, Field(max_length=65_536, description="Markdown.")]
MOST_MINUTES = 1_000_000
Estimate = Annotated[int, Field(ge=0, le=MOST_MINUTES), JsonNumber]
LabelIds = Annotated[
    list[LabelId],
    Field(max_length=50),
    AfterValidator(lambda ids: sorted(set(ids))),  # as they are shown, so that the same ones compare equal
]
Key = Annotated[
    str,
    Field(pattern=r"^[A-Z][A-Z0-9]{1,9}-[1-9][0-9]{0,8}$", examples=["OPS-42"]),
    Reference("task_key"),
]


class Recurrence(Input):
    """When the task is done, the next one is made, for the first day of the rule after now and its date."""

    rule: str = Field(
        description="A rule of RFC 5545 of at most 200 characters, counted from the task's due date, or from"
        " its start where it has none: FREQ (DAILY, WEEKLY, MONTHLY, YEARLY), INTERVAL, COUNT or UNTIL, WKST,"
        " BYDAY, BYMONTH, BYMONTHDAY, BYSETPOS.",
        examples=["FREQ=WEEKLY;BYDAY=MO"],
    )
    time_zone: str = Field(
        description="The zone of the IANA database in which the time of day stays the same.",
        examples=["Europe/Berlin"],
    )


class RecurrenceRead(Output):
    rule: str
    time_zone: str


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
    parent_id: TaskId | None = Field(None, description="A task of the same project that this is a part of.")
    recurrence: Recurrence | None = None


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
    parent_id: TaskId | None = optional()
    recurrence: Recurrence | None = optional()


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
    parent_id: TaskId | None = Field(description="The task that this is a part of.")
    position: str = Field(description="Of the manual order: sorts as text.", examples=["a1", "a1V"])
    recurrence: RecurrenceRead | None = Field(description="Moves on to the next task when this one is done.")
    watcher_ids: list[UserId]
    external: External | None
    version: int
    created_by: UserId
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    archived_at: datetime | None
