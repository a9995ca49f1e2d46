"""What the numbers are computed from: tasks as they are, and the events that tell how they became so."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.events import WorkspaceEvent
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.models import User
from glasswork.features.projects.models import Project, Status
from glasswork.features.tasks.access import task_key
from glasswork.features.tasks.events import TaskCreated, TaskUpdated
from glasswork.features.tasks.models import Task

from .policy import Categories, Change, TaskRow

_BATCH = 500

_after = WorkspaceEvent.after
_change = func.json_build_array(
    WorkspaceEvent.at, *(_after[name].astext for name in ("project_id", "status", "completed_at"))
)
_changes = (
    select(func.json_agg(aggregate_order_by(_change, WorkspaceEvent.seq)))
    .where(
        WorkspaceEvent.workspace_id == Task.workspace_id,
        WorkspaceEvent.subject_id == Task.id,
        WorkspaceEvent.type.in_([TaskCreated.type, TaskUpdated.type]),
        or_(_after.has_key("status"), _after.has_key("project_id")),
    )
    .correlate(Task)
    .scalar_subquery()
)
_TASKS = (
    select(
        Task.id,
        task_key(Project.key).label("key"),
        Status.category,
        Task.created_at,
        Task.completed_at,
        Task.estimate_minutes,
        Task.assignee_id,
        Task.archived_at.is_not(None).label("is_archived"),
        _changes.label("changes"),
    )
    .join(Project, and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id))
    .join(Status, and_(Status.workspace_id == Task.workspace_id, Status.id == Task.status_id))
    .where(Task.deleted_at.is_(None), Project.deleted_at.is_(None))
)


async def read_tasks(
    session: AsyncSession, workspace_id: UUID, project_id: UUID | None, limit: int
) -> Sequence[TaskRow]:
    """Return those that stand in the project, or in the whole workspace, `limit` at most.

    One statement sees them all at one moment; its rows come some at a time, each of them in time.
    """
    statement = _TASKS.where(Task.workspace_id == workspace_id).limit(limit)
    if project_id is not None:
        statement = statement.where(Task.project_id == project_id)
    rows = await session.stream(statement.execution_options(yield_per=_BATCH))
    return [_task(row) async for row in rows]


async def read_categories(session: AsyncSession, workspace_id: UUID) -> Categories:
    """Of a whole workspace: a task may have been in another project."""
    statement = select(Status.project_id, Status.key, Status.category)
    rows = await session.execute(statement.where(Status.workspace_id == workspace_id))
    return {(row.project_id, row.key): row.category for row in rows}


async def read_names(session: AsyncSession, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
    rows = await session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))
    return {row.id: row.name for row in rows}


def _task(row: AnyRow) -> TaskRow:
    changes = [
        Change(
            datetime.fromisoformat(at),
            project_id and UUID(project_id),
            status,
            completed_at and datetime.fromisoformat(completed_at),
        )
        for at, project_id, status, completed_at in row.changes or ()
    ]
    return TaskRow(
        id=row.id,
        key=row.key,
        category=row.category,
        created_at=row.created_at,
        completed_at=row.completed_at,
        estimate_minutes=row.estimate_minutes,
        assignee_id=row.assignee_id,
        is_archived=row.is_archived,
        changes=changes,
    )
