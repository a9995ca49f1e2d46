from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Row, and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import violated_constraint
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.projects.access import access
from glasswork.features.tasks.access import lock_task
from glasswork.features.tasks.models import Task
from glasswork.features.workspaces.access import access as workspace_access
from glasswork.features.workspaces.models import Role

from .errors import TaskLinkExistsError, TaskLinkNotFoundError
from .models import TaskLink

_LINKS = (
    select(
        TaskLink.id,
        TaskLink.workspace_id,
        TaskLink.task_id,
        TaskLink.kind,
        TaskLink.url,
        TaskLink.title,
        TaskLink.version,
        TaskLink.created_by,
        TaskLink.created_at,
        TaskLink.updated_at,
    )
    .join(Task, and_(Task.workspace_id == TaskLink.workspace_id, Task.id == TaskLink.task_id))
    .join(access, access.c.project_id == Task.project_id)
    .where(Task.deleted_at.is_(None))
)
_SORT_KEYS = {"created_at": SortKey.of(TaskLink.created_at, AwareDatetime)}


class LinkRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, actor: Actor, task_id: UUID, link_id: UUID) -> AnyRow | None:
        statement = _LINKS.where(TaskLink.task_id == task_id, TaskLink.id == link_id)
        return (await self._session.execute(statement, actor.binds)).one_or_none()

    async def page(self, actor: Actor, task_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _LINKS.where(TaskLink.task_id == task_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, TaskLink.id, actor.binds)

    async def lock_task(self, actor: Actor, task_id: UUID) -> Role:
        _, role, _ = await lock_task(self._session, actor, task_id)
        return role

    async def lock(self, actor: Actor, link_id: UUID) -> Row[TaskLink, Role]:
        statement = (
            select(TaskLink, workspace_access.c.role)
            .join(workspace_access, workspace_access.c.workspace_id == TaskLink.workspace_id)
            .where(TaskLink.id == link_id)
            .with_for_update(of=TaskLink)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            raise TaskLinkNotFoundError(link_id)
        return row

    async def add(self, link: TaskLink) -> TaskLink:
        self._session.add(link)
        try:
            await self._session.flush()
        except IntegrityError as error:
            if violated_constraint(error) == "uq_task_links_workspace_id_task_id_url":
                raise TaskLinkExistsError from error
            raise
        return link

    async def add_all(self, links: Sequence[dict[str, Any]]) -> Sequence[TaskLink]:
        """Store those that are not there yet, and return them."""
        if not links:
            return []
        added = insert(TaskLink).on_conflict_do_nothing().returning(TaskLink)
        return (await self._session.scalars(added, [link | {"version": 1} for link in links])).all()

    async def delete(self, link: TaskLink) -> None:
        await self._session.delete(link)
        await self._session.flush()
