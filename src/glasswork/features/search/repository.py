from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow
from glasswork.core.filtering import NULL, any_of, between
from glasswork.core.paging import Page, SortKey, fetch_page
from glasswork.core.schemas import Int32, Text
from glasswork.features.projects.models import Status
from glasswork.features.tasks.access import TASKS
from glasswork.features.tasks.models import SEARCH_CONFIG, Priority, Task, TaskLabel

from .schemas import TaskQuery

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
    "position": SortKey.of(Task.position, Text),
    "created_at": SortKey.of(Task.created_at, AwareDatetime),
    "updated_at": SortKey.of(Task.updated_at, AwareDatetime),
}


class SearchRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page_of_project(self, actor: Actor, project_id: UUID, query: TaskQuery) -> Page[AnyRow]:
        return await self._page(actor, query, [Task.project_id == project_id])

    async def page_of_workspace(
        self, actor: Actor, workspace_id: UUID, query: TaskQuery, project_ids: Sequence[UUID]
    ) -> Page[AnyRow]:
        inside = [Task.workspace_id == workspace_id, *any_of(Task.project_id, project_ids)]
        return await self._page(actor, query, inside)

    async def _page(
        self, actor: Actor, query: TaskQuery, inside: Sequence[ColumnElement[bool]]
    ) -> Page[AnyRow]:
        statement = TASKS.where(*inside, *_filters(actor, query))
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
