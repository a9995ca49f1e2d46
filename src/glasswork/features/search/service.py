from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow
from glasswork.core.paging import Page
from glasswork.features.projects.service import ProjectService
from glasswork.features.workspaces.service import WorkspaceService

from .repository import SearchRepository
from .schemas import TaskQuery, WorkspaceTaskQuery


class SearchService:
    """Tasks by what is asked of them."""

    def __init__(self, session: AsyncSession) -> None:
        self._tasks = SearchRepository(session)
        self._projects = ProjectService(session)
        self._workspaces = WorkspaceService(session)

    async def page_of_project(self, actor: Actor, project_id: UUID, query: TaskQuery) -> Page[AnyRow]:
        page = await self._tasks.page_of_project(actor, project_id, query)
        if not page.items:
            await self._projects.access_to(actor, project_id)
        return page

    async def page_of_workspace(
        self, actor: Actor, workspace_id: UUID, query: WorkspaceTaskQuery
    ) -> Page[AnyRow]:
        page = await self._tasks.page_of_workspace(actor, workspace_id, query, query.project_id)
        if not page.items:
            await self._workspaces.role_of(actor, workspace_id)
        return page
