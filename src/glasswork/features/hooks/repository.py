from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Row, bindparam, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.access import access as project_access
from glasswork.features.workspaces.access import access
from glasswork.features.workspaces.models import Role, Workspace

from .errors import HookNotFoundError
from .models import Hook

_HOOKS = (
    select(
        Hook.id,
        Hook.workspace_id,
        Hook.project_id,
        Hook.kind,
        Hook.name,
        Hook.mapping,
        Hook.previous_until,
        Hook.version,
        Hook.created_by,
        Hook.created_at,
        Hook.updated_at,
        access.c.role,
    )
    .join(access, access.c.workspace_id == Hook.workspace_id)
    .where(Hook.deleted_at.is_(None))
)
_OPEN = (
    select(
        Hook.id,
        Hook.workspace_id,
        Hook.project_id,
        Hook.kind,
        Hook.mapping,
        Hook.created_by,
        Hook.secret,
        case((Hook.previous_until > func.now(), Hook.previous_secret)).label("previous_secret"),
        func.now().label("now"),
    )
    .join(Workspace, Workspace.id == Hook.workspace_id)
    .where(Hook.id == bindparam("hook_id"), Hook.deleted_at.is_(None), Workspace.deleted_at.is_(None))
)
"""For whoever has signed a message to it."""
_SORT_KEYS = {
    "name": SortKey.of(Hook.name.collate("C"), str),
    "created_at": SortKey.of(Hook.created_at, AwareDatetime),
}


class HookRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, hook_id: UUID) -> AnyRow:
        """It, and the actor's `role` there."""
        row = (await self._session.execute(_HOOKS.where(Hook.id == hook_id), actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise HookNotFoundError(hook_id)
        return row

    async def page(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _HOOKS.where(Hook.workspace_id == workspace_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Hook.id, actor.binds)

    async def lock(self, actor: Actor, hook_id: UUID, *, lets_in: bool = True) -> Row[Hook, Role, datetime]:
        """Return it with the role and the time; whether messages that come in meanwhile do not wait."""
        statement = (
            select(Hook, access.c.role, func.now())
            .join(access, access.c.workspace_id == Hook.workspace_id)
            .where(Hook.id == hook_id, Hook.deleted_at.is_(None))
            .with_for_update(of=Hook, key_share=lets_in)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise HookNotFoundError(hook_id)
        return row

    async def has_project(self, actor: Actor, workspace_id: UUID, project_id: UUID) -> bool:
        statement = select(project_access.c.project_id).where(
            project_access.c.workspace_id == workspace_id, project_access.c.project_id == project_id
        )
        return (await self._session.execute(statement, actor.binds)).first() is not None

    async def get_open(self, hook_id: UUID) -> AnyRow:
        """With its sealed secrets, as long as its workspace stands."""
        row = (await self._session.execute(_OPEN, {"hook_id": hook_id})).one_or_none()
        if row is None:
            raise HookNotFoundError(hook_id)
        return row

    async def hold(self, hook_id: UUID) -> None:
        """Let nobody delete it before the commit."""
        stands = select(Hook.id).where(Hook.id == hook_id, Hook.deleted_at.is_(None))
        held = stands.with_for_update(read=True, key_share=True)
        if (await self._session.execute(held)).one_or_none() is None:
            raise HookNotFoundError(hook_id)

    async def add(self, hook: Hook) -> None:
        self._session.add(hook)
        await self._session.flush()

    async def flush(self) -> None:
        await self._session.flush()
