from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import violated_constraint
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in

from .access import access, miss
from .errors import SlugTakenError
from .models import Workspace

_WORKSPACES = select(
    Workspace.id,
    Workspace.name,
    Workspace.slug,
    Workspace.created_by,
    Workspace.version,
    Workspace.created_at,
    Workspace.updated_at,
).join(access, access.c.workspace_id == Workspace.id)
_WORKSPACE_SORT_KEYS = {
    "name": SortKey.of(Workspace.name.collate("C"), str),
    "slug": SortKey.of(Workspace.slug.collate("C"), str),
    "created_at": SortKey.of(Workspace.created_at, AwareDatetime),
}


class WorkspaceRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, workspace: Workspace) -> Workspace:
        self._session.add(workspace)
        await self.flush()
        return workspace

    async def flush(self) -> None:
        """Store what has changed now, so that a constraint is violated here and not at commit."""
        try:
            await self._session.flush()
        except IntegrityError as error:
            if violated_constraint(error) == "uq_workspaces_slug":
                raise SlugTakenError from error
            raise

    async def get(self, actor: Actor, workspace_id: UUID) -> AnyRow:
        statement = _WORKSPACES.where(Workspace.id == workspace_id)
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        return row if row is not None else await miss(self._session, actor, workspace_id)

    async def page(self, actor: Actor, query: PageQuery) -> Page[AnyRow]:
        page = await fetch_page(
            self._session, _WORKSPACES, query, _WORKSPACE_SORT_KEYS, Workspace.id, actor.binds
        )
        if not page.items:
            await ensure_signed_in(self._session, actor)
        return page

    async def find_by_slug(self, actor: Actor, slug: str) -> UUID | None:
        statement = _WORKSPACES.with_only_columns(Workspace.id).where(Workspace.slug == slug)
        return (await self._session.execute(statement, actor.binds)).scalar_one_or_none()
