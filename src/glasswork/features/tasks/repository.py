from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ARRAY,
    CompoundSelect,
    Row,
    String,
    Uuid,
    and_,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.db import violated_constraint
from glasswork.core.ordering import key_of
from glasswork.core.statements import AnyRow, Read, Write
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.access import access, lock_projects, miss
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.projects.models import Label, Project, Status
from glasswork.features.workspaces.access import is_member
from glasswork.features.workspaces.models import Membership, Role

from .access import (
    ANCESTRY,
    HEIGHT,
    TASKS,
    Family,
    change_tasks,
    lock_family,
    lock_task,
    lock_tasks,
    shown,
)
from .errors import StatusRemovedError, TaskNotFoundError
from .models import FormerKey, Task, TaskLabel, Watcher

_HAS_STATUS = "fk_tasks_workspace_id_project_id_status_id"
_TASK = Read(TASKS.where(Task.id == bindparam("task_id")))
_STATUSES = Read(
    select(Status.__table__).where(Status.project_id == bindparam("project_id")).order_by(Status.position)
)
_NUMBER = Write(
    update(Project)
    .where(Project.id == bindparam("project_id"), Project.deleted_at.is_(None))
    .values(last_number=Project.last_number + 1, updated_at=Project.updated_at)
    .returning(Project.last_number)
)
_ADDED = [
    column.name
    for column in Task.__table__.c
    if column.computed is None and column.name not in {"created_at", "updated_at"}
]
_ADD = Write(
    insert(Task)
    .values({name: bindparam(name) for name in _ADDED})
    .returning(
        *shown(
            bindparam("project_key", type_=String()),
            bindparam("status_key", type_=String()),
            bindparam("label_ids", type_=ARRAY(Uuid())),
            literal([], ARRAY(Uuid())),
        )
    )
)
_PLACE = Read(
    select(
        access.c.workspace_id,
        access.c.key.label("project_key"),
        access.c.role,
        func.now().label("now"),
        *(column for column in Status.__table__.c if column.name != "workspace_id"),
    )
    .join(Status, Status.project_id == access.c.project_id)
    .where(access.c.project_id == bindparam("project_id"))
    .order_by(Status.position)
)
_Parent = aliased(Task)


class TaskRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, task_id: UUID) -> AnyRow:
        binds = actor.binds | {"task_id": task_id}
        row = await _TASK.find(self._session, binds)
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise TaskNotFoundError(task_id)
        return row

    async def get_by_key(self, actor: Actor, workspace_id: UUID, key: str) -> AnyRow:
        found = _ids_by_keys(workspace_id, [_parts(key)]).subquery()
        statement = TASKS.where(Task.workspace_id == workspace_id, Task.id.in_(select(found.c.id)))
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise TaskNotFoundError(key)
        return row

    async def ids_by_keys(self, workspace_id: UUID, keys: Collection[str]) -> dict[str, UUID]:
        rows = await self._session.execute(_ids_by_keys(workspace_id, [_parts(key) for key in keys]))
        return {f"{project_key}-{number}": task_id for project_key, number, task_id in rows}

    async def get_all(self, actor: Actor, task_ids: Sequence[UUID]) -> Sequence[AnyRow]:
        """Those of them that are there, in the order of their ids."""
        statement = TASKS.where(Task.id.in_(task_ids)).order_by(Task.id)
        return (await self._session.execute(statement, actor.binds)).all()

    async def lock(
        self, actor: Actor, task_id: UUID, parent_id: UUID | None = None
    ) -> Row[Task, Role, datetime]:
        return await lock_task(self._session, actor, task_id, parent_id)

    async def lock_all(self, actor: Actor, task_ids: Collection[UUID]) -> None:
        await lock_tasks(self._session, actor, task_ids)

    async def lock_family(self, actor: Actor, task_id: UUID, *, deleted: bool = False) -> Family:
        return await lock_family(self._session, actor, task_id, deleted=deleted)

    async def change_all(self, task_ids: Collection[UUID], **values: Any) -> None:
        await change_tasks(self._session, task_ids, **values)

    async def lock_project(self, task: Task) -> None:
        await lock_projects(self._session, task.workspace_id, [task.project_id])

    async def ancestry(self, task_id: UUID) -> Sequence[AnyRow]:
        """Return `id`, `key`, `project_id` and `deleted_at` of the task, its parent, and so on up."""
        return (await self._session.execute(ANCESTRY, {"task_id": task_id})).all()

    async def height(self, task_id: UUID) -> int:
        """Count the levels of the tree below the task, its own included; 0: there is no such task."""
        levels: int = (await self._session.execute(HEIGHT, {"task_id": task_id})).scalar_one()
        return levels

    async def detach_from_deleted(self, task_id: UUID) -> None:
        """What stands is a part only of what stands."""
        is_gone = select(_Parent.id).where(
            _Parent.workspace_id == Task.workspace_id,
            _Parent.id == Task.parent_id,
            _Parent.deleted_at.is_not(None),
        )
        await self._session.execute(
            update(Task)
            .where(Task.id == task_id, is_gone.exists())
            .values(parent_id=None, updated_at=Task.updated_at)
            .execution_options(synchronize_session=False)
        )

    async def place(self, actor: Actor, project_id: UUID) -> Sequence[AnyRow]:
        """The project's statuses, each with `workspace_id`, `project_key`, `role` of the actor and `now`."""
        binds = actor.binds | {"project_id": project_id}
        return await _PLACE.all(self._session, binds) or await miss(self._session, actor, project_id)

    async def add(
        self, task: Task, project_key: str, status_key: str, label_ids: Sequence[UUID] = ()
    ) -> AnyRow:
        """Give the task its number, store it, and return it as it is shown.

        From here to the commit writers of the project wait.
        """
        numbered = await _NUMBER.find(self._session, {"project_id": task.project_id})
        if numbered is None:
            raise ProjectNotFoundError(task.project_id)
        task.id, task.version = uuid7(), 1
        task.number, task.position = numbered.last_number, key_of(numbered.last_number)
        binds = {"project_key": project_key, "status_key": status_key, "label_ids": sorted(label_ids)}
        try:
            (added,) = await _ADD.all(self._session, binds | {name: getattr(task, name) for name in _ADDED})
        except asyncpg.ForeignKeyViolationError as error:
            if error.constraint_name == _HAS_STATUS:
                raise StatusRemovedError from error
            raise
        return added

    async def flush(self) -> None:
        """Store what has changed now, so that a constraint is violated here and not at commit."""
        try:
            await self._session.flush()
        except IntegrityError as error:
            if violated_constraint(error) == _HAS_STATUS:
                raise StatusRemovedError from error
            raise

    async def statuses(self, project_id: UUID) -> Sequence[AnyRow]:
        """All that a status has."""
        return await _STATUSES.all(self._session, {"project_id": project_id})

    async def has_member(self, workspace_id: UUID, user_id: UUID) -> bool:
        return await is_member(self._session, workspace_id, user_id)

    async def has_labels(self, task: Task, label_ids: set[UUID]) -> bool:
        """Whether all of them are the project's or the workspace's."""
        statement = select(func.count()).where(
            Label.workspace_id == task.workspace_id,
            or_(Label.project_id == task.project_id, Label.project_id.is_(None)),
            Label.id.in_(label_ids),
        )
        return (await self._session.execute(statement)).scalar_one() == len(label_ids)

    async def set_labels(self, task: Task, label_ids: Collection[UUID]) -> None:
        """Those that stay are not touched: somebody who deletes one of them may wait for the task."""
        await self._session.execute(
            delete(TaskLabel).where(
                TaskLabel.workspace_id == task.workspace_id,
                TaskLabel.task_id == task.id,
                TaskLabel.label_id.not_in(label_ids),
            )
        )
        await self.add_labels((task, label_id) for label_id in label_ids)

    async def add_labels(self, pairs: Iterable[tuple[Task, UUID]]) -> None:
        rows = [
            {"workspace_id": task.workspace_id, "task_id": task.id, "label_id": label_id}
            for task, label_id in pairs
        ]
        if rows:
            await self._session.execute(insert(TaskLabel).on_conflict_do_nothing(), rows)

    async def copy_watchers(self, task_id: UUID, to: Task) -> None:
        """Those who are still members."""
        watching = (
            select(Watcher.workspace_id, literal(to.id), Watcher.user_id)
            .join(
                Membership,
                and_(Membership.workspace_id == Watcher.workspace_id, Membership.user_id == Watcher.user_id),
            )
            .where(
                Watcher.workspace_id == to.workspace_id,
                Watcher.task_id == task_id,
                Membership.removed_at.is_(None),
            )
        )
        await self._session.execute(
            insert(Watcher).from_select(["workspace_id", "task_id", "user_id"], watching)
        )


def _ids_by_keys(
    workspace_id: UUID, keys: Collection[tuple[str, int]]
) -> CompoundSelect[*tuple[str, int, UUID]]:
    """Each key with the `id` of the task that has it now, or had it before it was moved."""
    return union_all(
        *(
            select(Project.key, owner.number, id_.label("id"))
            .join(Project, and_(Project.workspace_id == owner.workspace_id, Project.id == owner.project_id))
            .where(
                Project.workspace_id == workspace_id,
                Project.deleted_at.is_(None),
                owner.workspace_id == workspace_id,
                tuple_(Project.key, owner.number).in_(keys),
            )
            for owner, id_ in ((Task, Task.id), (FormerKey, FormerKey.task_id))
        )
    )


def _parts(key: str) -> tuple[str, int]:
    project_key, _, number = key.rpartition("-")
    return project_key, int(number)
