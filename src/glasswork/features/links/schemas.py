from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Input, Line, LinkId, Output, TaskId, Url, UserId, WorkspaceId

from .models import LinkKind

MOST_TITLE = 256

Title = Annotated[Line, Field(max_length=MOST_TITLE, examples=["Minutes of Monday"])]


class TaskLinkCreate(Input):
    url: Url
    title: Title | None = None


class TaskLinkRead(Output):
    id: LinkId
    workspace_id: WorkspaceId
    task_id: TaskId
    kind: LinkKind
    url: str
    title: str | None
    version: int
    created_by: UserId
    created_at: datetime
    updated_at: datetime


class TaskLinkQuery(PageQuery):
    sort: str = sort_by("created_at", default="created_at")


@dataclass(frozen=True, slots=True)
class Found:
    """A place elsewhere that names a task."""

    task_id: UUID
    url: str
    kind: LinkKind
    title: str | None
