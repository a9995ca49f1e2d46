from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.schemas import Int32
from glasswork.features.projects.access import access
from glasswork.features.projects.models import Status

_STATUSES = select(
    Status.id, Status.project_id, Status.key, Status.name, Status.category, Status.position
).join(access, access.c.project_id == Status.project_id)
_SORT_KEYS = {"position": SortKey.of(Status.position, Int32)}


class StatusRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, actor: Actor, project_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _STATUSES.where(Status.project_id == project_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Status.id, actor.binds)
