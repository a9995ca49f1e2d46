from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, all_, any_, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.statements import AnyRow
from glasswork.features.projects.access import lock_projects
from glasswork.features.projects.models import Category, Label, Status
from glasswork.features.tasks.access import TASKS
from glasswork.features.tasks.models import Task, TaskLabel

from .errors import LabelInUseError, StatusInUseError, TooManyTasksError

REPEATS = 9
MAX_TASKS = 10_000
"""That change at once: each has its event, and all of it must be done within the time of a statement."""


@dataclass(frozen=True, slots=True)
class Locked:
    task_ids: Sequence[UUID]
    living_ids: Sequence[UUID]
    """Without those that are deleted, or whose project is."""


class RemovalRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock_labelled(self, label: Label) -> Locked:
        """Lock the label's tasks, and then their projects."""
        labelled = select(TaskLabel.task_id).where(
            TaskLabel.workspace_id == label.workspace_id, TaskLabel.label_id == label.id
        )
        rows = await self._lock_where(Task.workspace_id == label.workspace_id, Task.id.in_(labelled))
        # Those that were waited for may have lost it.
        still_labelled = set((await self._session.scalars(labelled)).all())
        rows = [row for row in rows if row.id in still_labelled]
        project_ids = {row.project_id for row in rows}
        standing = await lock_projects(self._session, label.workspace_id, project_ids)
        living = [row.id for row in rows if row.deleted_at is None and row.project_id in standing]
        return Locked([row.id for row in rows], living)

    async def lock_in_status(self, status: AnyRow) -> Locked:
        rows = await self._lock_where(
            Task.workspace_id == status.workspace_id,
            Task.project_id == status.project_id,
            Task.status_id == status.id,
        )
        return Locked([row.id for row in rows], [row.id for row in rows if row.deleted_at is None])

    async def _lock_where(self, *conditions: ColumnElement[bool]) -> Sequence[AnyRow]:
        """Lock tasks, in one order for all who do."""
        columns = Task.id, Task.project_id, Task.deleted_at
        statement = select(*columns).where(*conditions).order_by(Task.id).limit(MAX_TASKS + 1)
        rows = (await self._session.execute(statement.with_for_update(key_share=True))).all()
        if len(rows) > MAX_TASKS:
            raise TooManyTasksError(MAX_TASKS)
        return rows

    async def repeat_while_used(self, delete: Callable[[], Awaitable[None]]) -> None:
        """Let go of all locks and begin again when tasks have come to what is being deleted.

        They could only be locked out of the order of ids.
        """
        for _ in range(REPEATS):
            with suppress(StatusInUseError, LabelInUseError):
                async with self._session.begin_nested():
                    return await delete()
        async with self._session.begin_nested():
            return await delete()

    async def get_all(self, actor: Actor, task_ids: Sequence[UUID]) -> Sequence[AnyRow]:
        """Those of them that are there, in the order of their ids."""
        statement = TASKS.where(_is_one_of(task_ids)).order_by(Task.id)
        return (await self._session.execute(statement, actor.binds)).all()

    async def take_label_off(self, label: Label, task_ids: Sequence[UUID]) -> None:
        """Delete it. Its tasks get a new version, since what is shown of them changes."""
        await self._change_all(task_ids)
        # From here on nobody gives it to a task, and those who have just done so are done.
        await self._session.execute(select(Label.id).where(Label.id == label.id).with_for_update())
        newly_labelled = select(TaskLabel.task_id).where(
            TaskLabel.workspace_id == label.workspace_id,
            TaskLabel.label_id == label.id,
            TaskLabel.task_id != all_(_array(task_ids)),
        )
        if (await self._session.execute(newly_labelled.limit(1))).first() is not None:
            raise LabelInUseError
        await self._session.delete(label)
        await self._session.flush()

    async def move_all(self, task_ids: Sequence[UUID], status: AnyRow) -> None:
        """`completed_at` follows the category."""
        is_done = status.category is Category.DONE
        completed_at = func.coalesce(Task.completed_at, func.now()) if is_done else None
        await self._change_all(task_ids, status_id=status.id, completed_at=completed_at)

    async def ensure_empty(self, status: AnyRow) -> None:
        """From here on no task comes, and those that have just come are seen.

        To be told so by the foreign key would not do: it waits for locks of tasks, whose holders may wait
        for the status.
        """
        await self._session.execute(select(Status.id).where(Status.id == status.id).with_for_update())
        tasks = select(Task.id).where(
            Task.workspace_id == status.workspace_id,
            Task.project_id == status.project_id,
            Task.status_id == status.id,
        )
        if (await self._session.execute(tasks.limit(1))).first() is not None:
            raise StatusInUseError

    async def _change_all(self, task_ids: Sequence[UUID], **values: Any) -> None:
        await self._session.execute(
            update(Task)
            .where(_is_one_of(task_ids))
            .values(version=Task.version + 1, updated_at=func.now(), **values)
            .execution_options(synchronize_session=False)
        )


def _is_one_of(task_ids: Sequence[UUID]) -> ColumnElement[bool]:
    """With one bind parameter, however many there are."""
    return Task.id == any_(_array(task_ids))


def _array(ids: Sequence[UUID]) -> ColumnElement[Any]:
    return literal(list(ids), ARRAY(Uuid()))
