from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.projects.access import access_to
from glasswork.features.tasks.service import TaskService
from glasswork.features.workspaces.access import role_in

from .errors import AheadOfLogError
from .repository import ActivityRepository, ChangeRepository
from .schemas import (
    ActivityActor,
    ActivityQuery,
    ActivityRead,
    ChangeQuery,
    ChangeRead,
    Changes,
    Subject,
)


class ChangeService:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._changes = ChangeRepository(session)

    async def page(self, actor: Actor, workspace_id: UUID, query: ChangeQuery) -> Changes:
        seen = int(query.cursor or 0)
        rows = await self._changes.after(actor, workspace_id, seen, query.limit)
        if not rows:
            await role_in(self._session, actor, workspace_id)
            if seen > (last := await self._changes.last(workspace_id)):
                raise AheadOfLogError(last)
        return Changes(rows, str(rows[-1].seq if rows else seen))


class ActivityService:
    """The same changes for people to read: newest first, and with names."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._activity = ActivityRepository(session)
        self._tasks = TaskService(session)

    async def of_workspace(
        self, actor: Actor, workspace_id: UUID, query: ActivityQuery
    ) -> Page[ActivityRead]:
        page = await self._activity.of_workspace(actor, workspace_id, query)
        if not page.items:
            await role_in(self._session, actor, workspace_id)
        return _shown(page)

    async def of_project(self, actor: Actor, project_id: UUID, query: ActivityQuery) -> Page[ActivityRead]:
        page = await self._activity.of_project(actor, project_id, query)
        if not page.items:
            await access_to(self._session, actor, project_id)
        return _shown(page)

    async def of_task(self, actor: Actor, task_id: UUID, query: ActivityQuery) -> Page[ActivityRead]:
        page = await self._activity.of_task(actor, task_id, query)
        if not page.items:
            await self._tasks.get(actor, task_id)
        return _shown(page)


def change_of(row: AnyRow) -> ChangeRead:
    """Show a row of `COLUMNS`."""
    return ChangeRead(**_fields(row), actor_id=row.actor_id)


def _fields(row: AnyRow) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "type": row.type,
        "subject": Subject(type=row.type.partition(".")[0], id=row.subject_id),
        "request_id": row.request_id,
        "at": row.at,
        "before": row.before,
        "after": row.after,
    }


def _shown(page: Page[AnyRow]) -> Page[ActivityRead]:
    items = [ActivityRead(**_fields(row), actor=_actor(row), task=row.task) for row in page.items]
    return Page(items, page.next_cursor, page.total)


def _actor(row: AnyRow) -> ActivityActor | None:
    return None if row.actor_id is None else ActivityActor(id=row.actor_id, name=row.actor_name)
