from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow
from glasswork.core.paging import Page
from glasswork.features.projects.service import ProjectService

from .repository import StatusRepository
from .schemas import StatusQuery


class StatusService:
    """The statuses that the tasks of a project go through."""

    def __init__(self, session: AsyncSession) -> None:
        self._statuses = StatusRepository(session)
        self._projects = ProjectService(session)

    async def page(self, actor: Actor, project_id: UUID, query: StatusQuery) -> Page[AnyRow]:
        page = await self._statuses.page(actor, project_id, query)
        if not page.items:
            await self._projects.access_to(actor, project_id)
        return page
