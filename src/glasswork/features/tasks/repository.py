from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow, violated_constraint
from glasswork.core.ordering import key_of
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.access import access
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.projects.models import Label, Project, Status
from glasswork.features.workspaces.models import Membership, Role

from .access import TASKS
from .errors import StatusRemovedError, TaskNotFoundError
from .models import Task, TaskLabel


class TaskRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, task_id: UUID) -> AnyRow:
        row = (await self._session.execute(TASKS.where(Task.id == task_id), actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise TaskNotFoundError(task_id)
        return row

    async def get_by_key(self, actor: Actor, workspace_id: UUID, key: str) -> AnyRow:
        project_key, _, number = key.rpartition("-")
        statement = TASKS.where(
            Task.workspace_id == workspace_id, access.c.key == project_key, Task.number == int(number)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise TaskNotFoundError(key)
        return row

    async def get_all(self, actor: Actor, task_ids: Sequence[UUID]) -> Sequence[AnyRow]:
        """Those of them that are there, in the order of their ids."""
        statement = TASKS.where(Task.id.in_(task_ids)).order_by(Task.id)
        return (await self._session.execute(statement, actor.binds)).all()

    async def lock(self, actor: Actor, task_id: UUID, *, deleted: bool = False) -> Row[Task, Role, datetime]:
        """Lock a task; return it with the actor's role and the transaction's time.

        It joins nothing that a concurrent writer may change with the task: PostgreSQL joins a row that it
        waited for to the rows it saw before it waited, and would find no task where its status has changed.
        """
        statement = (
            select(Task, access.c.role, func.now())
            .join(access, access.c.project_id == Task.project_id)
            .where(Task.id == task_id)
            .with_for_update(of=Task)
        )
        if not deleted:
            statement = statement.where(Task.deleted_at.is_(None))
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise TaskNotFoundError(task_id)
        return row

    async def add(self, task: Task) -> None:
        """Give the task its number and store it; from here to the commit writers of the project wait."""
        numbered = (
            update(Project)
            .where(Project.id == task.project_id, Project.deleted_at.is_(None))
            .values(last_number=Project.last_number + 1, updated_at=Project.updated_at)
            .returning(Project.last_number)
        )
        number = (await self._session.execute(numbered)).scalar_one_or_none()
        if number is None:
            raise ProjectNotFoundError(task.project_id)
        task.number, task.position = number, key_of(number)
        self._session.add(task)
        await self.flush()

    async def flush(self) -> None:
        """Store what has changed now, so that a constraint is violated here and not at commit."""
        try:
            await self._session.flush()
        except IntegrityError as error:
            if violated_constraint(error) == "fk_tasks_workspace_id_project_id_status_id":
                raise StatusRemovedError from error
            raise

    async def statuses(self, project_id: UUID) -> Sequence[Status]:
        statement = select(Status).where(Status.project_id == project_id).order_by(Status.position)
        return (await self._session.scalars(statement)).all()

    async def has_member(self, workspace_id: UUID, user_id: UUID) -> bool:
        statement = select(Membership.user_id).where(
            Membership.workspace_id == workspace_id,
            Membership.user_id == user_id,
            Membership.removed_at.is_(None),
        )
        return (await self._session.execute(statement)).first() is not None

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

    async def imported_ids(self, project_id: UUID) -> set[tuple[str, str]]:
        """The sources and ids of what came from elsewhere."""
        statement = select(Task.external["source"].astext, Task.external["id"].astext).where(
            Task.project_id == project_id, Task.external.is_not(None)
        )
        return {(row[0], row[1]) for row in (await self._session.execute(statement)).all()}

    async def taken_numbers(self, project_id: UUID) -> set[int]:
        statement = select(Task.number).where(Task.project_id == project_id)
        return set((await self._session.scalars(statement)).all())

    async def lock_numbers(self, project_id: UUID) -> int:
        statement = select(Project.last_number).where(Project.id == project_id).with_for_update()
        return (await self._session.execute(statement)).scalar_one()

    async def add_all(self, project_id: UUID, tasks: Sequence[Task], last_number: int) -> None:
        self._session.add_all(tasks)
        await self._session.execute(
            update(Project)
            .where(Project.id == project_id)
            .values(last_number=last_number, updated_at=Project.updated_at)
        )
        await self._session.flush()
