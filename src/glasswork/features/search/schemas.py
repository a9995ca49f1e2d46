from typing import Annotated, Literal

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import LabelId, ProjectId, Text, Timestamp, UserId
from glasswork.features.tasks.models import Priority
from glasswork.features.workflow.schemas import StatusKey

SORT_KEYS = (
    "number",
    "title",
    "status",
    "priority",
    "due_at",
    "start_at",
    "position",
    "created_at",
    "updated_at",
)


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
