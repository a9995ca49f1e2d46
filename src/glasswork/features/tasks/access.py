"""Tasks that the actor may see, as the API shows them; and how they are locked and changed by the many."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    SQLColumnExpression,
    String,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from glasswork.core.actor import Actor
from glasswork.core.errors import ServiceUnavailableError
from glasswork.core.statements import AnyRow, row_of
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.access import access
from glasswork.features.projects.models import Project, Status
from glasswork.features.workspaces.access import access as workspace_access
from glasswork.features.workspaces.models import Role

from .errors import TaskNotFoundError
from .models import Task, TaskLabel, Watcher
from .schemas import TaskRead

LABEL_IDS = type_coerce(
    func.array(
        select(TaskLabel.label_id)
        .where(TaskLabel.workspace_id == Task.workspace_id, TaskLabel.task_id == Task.id)
        .order_by(TaskLabel.label_id)
        .scalar_subquery()
    ),
    ARRAY(Uuid()),
)
WATCHER_IDS = type_coerce(
    func.array(
        select(Watcher.user_id)
        .where(Watcher.workspace_id == Task.workspace_id, Watcher.task_id == Task.id)
        .order_by(Watcher.user_id)
        .scalar_subquery()
    ),
    ARRAY(Uuid()),
)


def task_key(project_key: SQLColumnExpression[str]) -> ColumnElement[str]:
    """As people call a task: `OPS-42`."""
    return project_key + "-" + cast(Task.number, String)


def task_brief(project_key: SQLColumnExpression[str], **more: Any) -> ColumnElement[Any]:
    """A JSON object with `id`, `key` and `title`, for what is told of other things."""
    fields = {"id": Task.id, "key": task_key(project_key), "title": Task.title, **more}
    return func.json_build_object(*(part for field in fields.items() for part in field))


_RECURRENCE = Task.recurrence.op("-", return_type=Task.recurrence.type)(literal_column("'anchor'"))
"""Without the date from which the rule counts."""


def shown(
    project_key: SQLColumnExpression[str],
    status_key: SQLColumnExpression[str] = Status.key,
    label_ids: SQLColumnExpression[Any] = LABEL_IDS,
    watcher_ids: SQLColumnExpression[Any] = WATCHER_IDS,
) -> tuple[Any, ...]:
    """The columns of a row of `TaskRead`."""
    return (
        Task.id,
        Task.workspace_id,
        Task.project_id,
        task_key(project_key).label("key"),
        Task.title,
        Task.description,
        status_key.label("status"),
        type_coerce(Task.priority, String).label("priority"),
        Task.assignee_id,
        label_ids.label("label_ids"),
        Task.due_at,
        Task.start_at,
        Task.estimate_minutes,
        Task.parent_id,
        Task.position,
        _RECURRENCE.label("recurrence"),
        watcher_ids.label("watcher_ids"),
        Task.external,
        Task.version,
        Task.created_by,
        Task.created_at,
        Task.updated_at,
        Task.completed_at,
        Task.archived_at,
    )


TaskRow = row_of(TaskRead)
_HAS_STATUS = and_(Status.workspace_id == Task.workspace_id, Status.id == Task.status_id)
TASKS = (
    select(*shown(access.c.key))
    .join(access, access.c.project_id == Task.project_id)
    .join(Status, _HAS_STATUS)
    .where(Task.deleted_at.is_(None))
)
"""As rows of `TaskRead`; the statement can be narrowed by columns of Task, Status and of the access."""

LISTED = (
    select(*shown(Project.key))
    .join(Project, and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id))
    .join(Status, _HAS_STATUS)
    .where(Task.deleted_at.is_(None), Project.deleted_at.is_(None))
)
"""The same for lists of a place, which ask once whether it may be seen: asked task by task, a stranger's list
would take as long as all tasks of the place, and the planner would guess wrong how many are left."""

_LOCKED = (
    select(Task, workspace_access.c.role, func.now())
    .join(workspace_access, workspace_access.c.workspace_id == Task.workspace_id)
    .where(Task.id.in_(bindparam("task_ids", expanding=True)))
    .order_by(Task.id)
    .with_for_update(of=Task, key_share=True)
    .execution_options(populate_existing=True)
)

_family = (
    select(Task.workspace_id, Task.id, workspace_access.c.role)
    .join(workspace_access, workspace_access.c.workspace_id == Task.workspace_id)
    .where(Task.id.in_(bindparam("task_ids", expanding=True)))
    .cte("family", recursive=True)
)
_Child = aliased(Task)
_family = _family.union(
    select(_Child.workspace_id, _Child.id, _family.c.role).join(
        _family, and_(_Child.workspace_id == _family.c.workspace_id, _Child.parent_id == _family.c.id)
    )
)
_FAMILY_IDS = select(_family.c.id)
_FAMILY = (
    select(
        Task.id,
        Task.workspace_id,
        Task.project_id,
        Task.number,
        Task.position,
        Task.status_id,
        Task.parent_id,
        Task.version,
        Task.completed_at,
        Task.archived_at,
        Task.deleted_at,
        _family.c.role,
        func.now().label("now"),
    )
    .join(_family, _family.c.id == Task.id)
    .order_by(Task.id)
    .with_for_update(of=Task, key_share=True)
)

_Parent = aliased(Task)
_up = (
    select(Task.workspace_id, Task.id, Task.parent_id, literal(0).label("level"))
    .where(Task.id == bindparam("task_id"))
    .cte("up", recursive=True)
)
_up = _up.union_all(
    select(_Parent.workspace_id, _Parent.id, _Parent.parent_id, _up.c.level + 1).join(
        _up, and_(_Parent.workspace_id == _up.c.workspace_id, _Parent.id == _up.c.parent_id)
    )
)
ANCESTRY = (
    select(
        Task.id,
        task_key(Project.key).label("key"),
        Task.project_id,
        Task.deleted_at,
    )
    .join(_up, _up.c.id == Task.id)
    .join(Project, and_(Project.workspace_id == Task.workspace_id, Project.id == Task.project_id))
    .order_by(_up.c.level)
)
"""`id`, `key`, `project_id` and `deleted_at` of the task `task_id`, of its parent, and so on up."""
_down = (
    select(Task.workspace_id, Task.id, literal(1).label("level"))
    .where(Task.id == bindparam("task_id"))
    .cte("down", recursive=True)
)
_down = _down.union_all(
    select(_Child.workspace_id, _Child.id, _down.c.level + 1).join(
        _down, and_(_Child.workspace_id == _down.c.workspace_id, _Child.parent_id == _down.c.id)
    )
)
HEIGHT = select(func.coalesce(func.max(_down.c.level), 0))
"""How many levels the tree below the task `task_id` has, its own included."""


_MOST_TRIES = 20


class _FamilyGrewError(Exception):
    """Lets go of the locks that were taken."""


@dataclass(frozen=True, slots=True)
class Family:
    """A locked task, and it with all that is below it, deleted or not."""

    root: AnyRow
    tasks: Sequence[AnyRow]

    @property
    def role(self) -> Role:
        role: Role = self.root.role
        return role


async def lock_tasks(
    session: AsyncSession, actor: Actor, task_ids: Collection[UUID]
) -> Sequence[Row[Task, Role, datetime]]:
    """Lock those that are there, deleted or not; return them with the actor's role and the time.

    It joins nothing that a concurrent writer may change with the task, as its status and its project:
    PostgreSQL joins a row that it waited for to the rows it saw before it waited, and would find no task
    where they have changed. Whether the project stands, a read after it tells.
    """
    return (await session.execute(_LOCKED, actor.binds | {"task_ids": list(task_ids)})).all()


async def lock_task(
    session: AsyncSession, actor: Actor, task_id: UUID, parent_id: UUID | None = None
) -> Row[Task, Role, datetime]:
    """Lock a task that stands, and the one that shall be its parent; return it with role and time."""
    both = {task_id} if parent_id is None else {task_id, parent_id}
    for row in await lock_tasks(session, actor, both):
        if row[0].id == task_id and row[0].deleted_at is None:
            return row
    await ensure_signed_in(session, actor)
    raise TaskNotFoundError(task_id)


async def lock_families(session: AsyncSession, actor: Actor, task_ids: Collection[UUID]) -> Sequence[AnyRow]:
    """Lock the tasks and all that is below them, deleted or not.

    Who gives a task a subtask holds the task's lock. One that came between the look for subtasks and the
    locks could only be locked out of the order of ids: then all are let go, and it begins again. Should row
    security keep us from a task that we see, that would not end.
    """
    binds = actor.binds | {"task_ids": list(task_ids)}
    for _ in range(_MOST_TRIES):
        with suppress(_FamilyGrewError):
            async with session.begin_nested():
                rows = (await session.execute(_FAMILY, binds)).all()
                family = set((await session.scalars(_FAMILY_IDS, binds)).all())
                if not family <= {row.id for row in rows}:
                    raise _FamilyGrewError
                return [row for row in rows if row.id in family]
    raise ServiceUnavailableError("The tasks cannot be locked.")


async def lock_family(session: AsyncSession, actor: Actor, task_id: UUID, *, deleted: bool = False) -> Family:
    tasks = await lock_families(session, actor, [task_id])
    for task in tasks:
        if task.id == task_id and (deleted or task.deleted_at is None):
            return Family(task, tasks)
    await ensure_signed_in(session, actor)
    raise TaskNotFoundError(task_id)


async def change_tasks(session: AsyncSession, task_ids: Collection[UUID], **values: Any) -> None:
    """In one statement, and each gets a new version; entities that the session has are not told."""
    await session.execute(
        update(Task)
        .where(Task.id.in_(task_ids))
        .values(version=Task.version + 1, updated_at=func.now(), **values)
        .execution_options(synchronize_session=False)
    )
