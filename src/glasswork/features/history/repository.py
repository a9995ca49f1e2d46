from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import DateTime, Text, Uuid, and_, bindparam, column, func, select, true
from sqlalchemy.dialects.postgresql import JSONB, distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.events import WorkspaceEvent
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.access import access
from glasswork.features.tasks.access import lock_task
from glasswork.features.tasks.errors import TaskNotFoundError
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.models import Role

_SORT_KEYS = {"seq": SortKey.of(WorkspaceEvent.seq, Annotated[int, Field(ge=0, lt=2**63)])}

_OF_TASK = and_(WorkspaceEvent.workspace_id == Task.workspace_id, WorkspaceEvent.subject_id == Task.id)
_VISIBLE = select(Task.id).join(access, access.c.project_id == Task.project_id)
_EVENTS = _VISIBLE.join(WorkspaceEvent, _OF_TASK).with_only_columns(
    WorkspaceEvent.seq,
    WorkspaceEvent.at,
    WorkspaceEvent.actor_id,
    WorkspaceEvent.request_id,
    WorkspaceEvent.type,
    WorkspaceEvent.before,
    WorkspaceEvent.after,
)

# All up to the last that had happened then: `at` is when a transaction began, `seq` tells which came first.
_last = (
    select(WorkspaceEvent.seq, WorkspaceEvent.type)
    .where(_OF_TASK, WorkspaceEvent.at <= bindparam("moment", type_=DateTime(timezone=True)))
    .order_by(WorkspaceEvent.seq.desc())
    .limit(1)
    .lateral("last")
)
_then = (
    select(Task.workspace_id, Task.id, Task.position, _last.c.seq, _last.c.type)
    .join(access, access.c.project_id == Task.project_id)
    .join(_last, true())
    .where(Task.id == bindparam("task_id", type_=Uuid()))
    .cte("then")
)
_shown = func.jsonb_each(WorkspaceEvent.after).table_valued(column("key", Text), column("value", JSONB))
_fields = (
    select(_shown.c.key, _shown.c.value)
    .select_from(_then)
    .join(
        WorkspaceEvent,
        and_(
            WorkspaceEvent.workspace_id == _then.c.workspace_id,
            WorkspaceEvent.subject_id == _then.c.id,
            WorkspaceEvent.seq <= _then.c.seq,
        ),
    )
    .join(_shown, true())
    .ext(distinct_on(_shown.c.key))
    .order_by(_shown.c.key, WorkspaceEvent.seq.desc())
    .subquery()
)
_THEN = select(
    _then.c.type,
    _then.c.position,
    select(func.jsonb_object_agg(_fields.c.key, _fields.c.value)).scalar_subquery().label("fields"),
)


class HistoryRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, actor: Actor, task_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _EVENTS.where(Task.id == task_id)
        page = await fetch_page(self._session, statement, query, _SORT_KEYS, WorkspaceEvent.id, actor.binds)
        if not page.items:
            await self._ensure_visible(actor, task_id)
        return page

    async def then(self, actor: Actor, task_id: UUID, moment: datetime) -> AnyRow:
        """Return the `type` of the last event, and the `fields` that the events up to it left behind."""
        binds = actor.binds | {"task_id": task_id, "moment": moment}
        row = (await self._session.execute(_THEN, binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise TaskNotFoundError(task_id)
        return row

    async def lock(self, actor: Actor, task_id: UUID) -> Role:
        """From here on the last event is the last; return the actor's role."""
        _, role, _ = await lock_task(self._session, actor, task_id)
        return role

    async def last(self, actor: Actor, task_id: UUID) -> AnyRow | None:
        statement = _EVENTS.where(Task.id == task_id).order_by(WorkspaceEvent.seq.desc()).limit(1)
        return (await self._session.execute(statement, actor.binds)).one_or_none()

    async def _ensure_visible(self, actor: Actor, task_id: UUID) -> None:
        statement = _VISIBLE.where(Task.id == task_id)
        if (await self._session.execute(statement, actor.binds)).one_or_none() is None:
            await ensure_signed_in(self._session, actor)
            raise TaskNotFoundError(task_id)
