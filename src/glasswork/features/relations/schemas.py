from datetime import datetime
from enum import StrEnum

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Input, Output, RelationId, TaskId, WorkspaceId

from .models import Kind


class Side(StrEnum):
    """What a task is to the other one."""

    BLOCKS = "blocks"
    BLOCKED_BY = "blocked_by"
    RELATES = "relates"
    DUPLICATES = "duplicates"
    DUPLICATED_BY = "duplicated_by"


STORED = {
    Side.BLOCKS: (Kind.BLOCKS, True),
    Side.BLOCKED_BY: (Kind.BLOCKS, False),
    Side.RELATES: (Kind.RELATES, True),
    Side.DUPLICATES: (Kind.DUPLICATES, True),
    Side.DUPLICATED_BY: (Kind.DUPLICATES, False),
}
"""The kind, and whether it goes from the task to the other one."""


class RelationCreate(Input):
    kind: Side
    task_id: TaskId


class RelatedTask(Output):
    id: TaskId
    key: str
    title: str
    status: str


class RelationRead(Output):
    id: RelationId
    workspace_id: WorkspaceId
    kind: Side
    task: RelatedTask
    version: int
    created_at: datetime
    updated_at: datetime


class RelationStored(Output):
    """As events have it: seen from no side."""

    id: RelationId
    workspace_id: WorkspaceId
    kind: Kind
    from_id: TaskId
    to_id: TaskId
    version: int
    created_at: datetime
    updated_at: datetime


class RelationQuery(PageQuery):
    sort: str = sort_by("created_at", default="created_at")
