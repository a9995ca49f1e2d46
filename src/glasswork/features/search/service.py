from html import escape
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.projects.access import access_to
from glasswork.features.tasks.schemas import TaskRead
from glasswork.features.workspaces.access import role_in

from .repository import MARKS, SearchRepository
from .schemas import FoundComment, FoundTask, SearchQuery, TaskQuery, WorkspaceTaskQuery


class SearchService:
    """Tasks by what is asked of them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._tasks = SearchRepository(session)

    async def page_of_project(self, actor: Actor, project_id: UUID, query: TaskQuery) -> Page[AnyRow]:
        page = await self._tasks.page_of_project(actor, project_id, query)
        if not page.items:
            await access_to(self._session, actor, project_id)
        return page

    async def page_of_workspace(
        self, actor: Actor, workspace_id: UUID, query: WorkspaceTaskQuery
    ) -> Page[AnyRow]:
        page = await self._tasks.page_of_workspace(actor, workspace_id, query, query.project_id)
        if not page.items:
            await role_in(self._session, actor, workspace_id)
        return page

    async def find(self, actor: Actor, workspace_id: UUID, query: SearchQuery) -> Page[FoundTask]:
        page = await self._tasks.page_of_found(actor, workspace_id, query)
        if not page.items:
            await role_in(self._session, actor, workspace_id)
        return Page([_found(row) for row in page.items], page.next_cursor, page.total)


def _found(row: AnyRow) -> FoundTask:
    comment = row.comment_id and FoundComment(id=row.comment_id, snippet=_html(row.marked_comment))
    return FoundTask(
        task=TaskRead.model_validate(row),
        rank=row.rank,
        title=_html(row.marked_title),
        snippet=_html(row.marked_text),
        comment=comment,
    )


def _html(text: str) -> str:
    return escape(text, quote=False).replace(MARKS[0], "<mark>").replace(MARKS[1], "</mark>")
