from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    String,
    Uuid,
    and_,
    case,
    cast,
    delete,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow
from glasswork.core.filtering import NULL, any_of, between
from glasswork.core.paging import Page, SortKey, fetch_page
from glasswork.core.schemas import Int32, Text
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.access import access
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.projects.models import Label, Project, Status
from glasswork.features.workspaces.models import Membership, Role

from .errors import TaskNotFoundError
from .models import SEARCH_CONFIG, Priority, Task, TaskLabel
from .schemas import TaskQuery

_LABEL_IDS = type_coerce(
    func.array(
        select(TaskLabel.label_id)
        .where(TaskLabel.workspace_id == Task.workspace_id, TaskLabel.task_id == Task.id)
        .order_by(TaskLabel.label_id)
        .scalar_subquery()
    ),
    ARRAY(Uuid()),
)
_TASKS = (
    select(
        Task.id,
        Task.workspace_id,
        Task.project_id,
        (access.c.key + "-" + cast(Task.number, String)).label("key"),
        Task.title,
        Task.description,
        Status.key.label("status"),
        Task.priority,
        Task.assignee_id,
        _LABEL_IDS.label("label_ids"),
        Task.due_at,
        Task.start_at,
        Task.estimate_minutes,
        Task.external,
        Task.version,
        Task.created_by,
        Task.created_at,
        Task.updated_at,
        Task.completed_at,
    )
    .join(access, access.c.project_id == Task.project_id)
    .join(Status, and_(Status.workspace_id == Task.workspace_id, Status.id == Task.status_id))
    .where(Task.deleted_at.is_(None))
)

_BEFORE_ALL, _AFTER_ALL = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
_RANK = case({priority.value: rank for rank, priority in enumerate(Priority)}, value=Task.priority)


def _moment(column: Any) -> SortKey:
    return SortKey.nulls_last(column, AwareDatetime, least=_BEFORE_ALL, greatest=_AFTER_ALL)


_SORT_KEYS = {
    "number": SortKey.of(Task.number, Int32),
    "title": SortKey.of(Task.title.collate("C"), Text),
    "status": SortKey.of(Status.position, Int32),
    "priority": SortKey.of(_RANK, Int32),
    "due_at": _moment(Task.due_at),
    "start_at": _moment(Task.start_at),
    "created_at": SortKey.of(Task.created_at, AwareDatetime),
    "updated_at": SortKey.of(Task.updated_at, AwareDatetime),
}


class TaskRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, task_id: UUID) -> AnyRow:
        row = (await self._session.execute(_TASKS.where(Task.id == task_id), actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise TaskNotFoundError(task_id)
        return row

    async def get_by_key(self, actor: Actor, workspace_id: UUID, key: str) -> AnyRow:
        project_key, _, number = key.rpartition("-")
        statement = _TASKS.where(
            Task.workspace_id == workspace_id, access.c.key == project_key, Task.number == int(number)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise TaskNotFoundError(key)
        return row

    async def lock_labelled(self, label: Label) -> list[UUID]:
        """Lock the label's tasks, in one order for all who do; return the ids of those not deleted."""
        has_it = TaskLabel.label_id == label.id, TaskLabel.workspace_id == label.workspace_id
        labelled = (
            Task.workspace_id == label.workspace_id,
            Task.id.in_(select(TaskLabel.task_id).where(*has_it)),
        )
        statement = select(Task.id, Task.deleted_at).where(*labelled).order_by(Task.id).with_for_update()
        rows = await self._session.execute(statement)
        return [task_id for task_id, deleted_at in rows if deleted_at is None]

    async def get_all(self, actor: Actor, task_ids: Sequence[UUID]) -> Sequence[AnyRow]:
        """Those of them that are there, in the order of their ids."""
        statement = _TASKS.where(Task.id.in_(task_ids)).order_by(Task.id)
        return (await self._session.execute(statement, actor.binds)).all()

    async def page_of_project(self, actor: Actor, project_id: UUID, query: TaskQuery) -> Page[AnyRow]:
        return await self._page(actor, query, [Task.project_id == project_id])

    async def page_of_workspace(
        self, actor: Actor, workspace_id: UUID, query: TaskQuery, project_ids: Sequence[UUID]
    ) -> Page[AnyRow]:
        inside = [Task.workspace_id == workspace_id, *any_of(Task.project_id, project_ids)]
        return await self._page(actor, query, inside)

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
        task.number = number
        self._session.add(task)
        await self._session.flush()

    async def flush(self) -> None:
        await self._session.flush()

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

    async def has_labels(self, project_id: UUID, label_ids: set[UUID]) -> bool:
        statement = select(func.count()).where(Label.project_id == project_id, Label.id.in_(label_ids))
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

    async def take_label_off(self, label: Label) -> None:
        """Its tasks get a new version, since what is shown of them changes."""
        labelled = select(TaskLabel.task_id).where(
            TaskLabel.workspace_id == label.workspace_id, TaskLabel.label_id == label.id
        )
        await self._session.execute(
            update(Task)
            .where(Task.workspace_id == label.workspace_id, Task.id.in_(labelled))
            .values(version=Task.version + 1, updated_at=func.now())
        )
        await self._session.delete(label)
        await self._session.flush()

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

    async def _page(
        self, actor: Actor, query: TaskQuery, inside: Sequence[ColumnElement[bool]]
    ) -> Page[AnyRow]:
        statement = _TASKS.where(*inside, *_filters(actor, query))
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Task.id, actor.binds)


def _filters(actor: Actor, query: TaskQuery) -> Iterator[ColumnElement[bool]]:
    if query.q is not None:
        yield Task.search.op("@@")(func.websearch_to_tsquery(SEARCH_CONFIG, query.q))
    yield from any_of(Status.key, query.status)
    yield from any_of(Task.priority, query.priority)
    yield from any_of(Task.assignee_id, query.assignee_id, me=actor.user_id)
    if query.label_id:
        yield _has_label(query.label_id)
    yield from between(Task.due_at, query.due_after, query.due_before)
    yield from between(Task.start_at, query.start_after, query.start_before)
    yield from between(Task.created_at, query.created_after, query.created_before)
    yield from between(Task.updated_at, query.updated_after, query.updated_before)
    yield from between(Task.completed_at, query.completed_after, query.completed_before)


def _has_label(wanted: Sequence[UUID | str]) -> ColumnElement[bool]:
    labels = select(TaskLabel.label_id).where(
        TaskLabel.workspace_id == Task.workspace_id, TaskLabel.task_id == Task.id
    )
    label_ids = [label_id for label_id in wanted if label_id != NULL]
    has_one = labels.where(TaskLabel.label_id.in_(label_ids)).exists()
    return or_(has_one, ~labels.exists()) if NULL in wanted else has_one
