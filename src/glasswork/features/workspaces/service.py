from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_open_everywhere, require_recent_login

from . import policy
from .access import get_member, join, lock_workspace
from .errors import WorkspaceNotFoundError
from .events import MemberCreated, WorkspaceCreated, WorkspaceDeleted, WorkspaceUpdated
from .models import Role, Workspace
from .repository import WorkspaceRepository
from .schemas import WorkspaceCreate, WorkspaceQuery, WorkspaceUpdate


class WorkspaceService:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._workspaces = WorkspaceRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, new: WorkspaceCreate) -> Workspace:
        await ensure_open_everywhere(self._session, actor)
        workspace = Workspace(name=new.name, slug=new.slug, created_by=actor.user_id)
        await self._workspaces.add(workspace)
        await join(self._session, workspace.id, actor.user_id, Role.OWNER)
        self._outbox.record(actor, WorkspaceCreated.of(workspace))
        owner = await get_member(self._session, actor, workspace.id, actor.user_id)
        self._outbox.record(actor, MemberCreated.of(owner))
        return workspace

    async def get(self, actor: Actor, workspace_id: UUID) -> AnyRow:
        return await self._workspaces.get(actor, workspace_id)

    async def id_of(self, actor: Actor, slug: str) -> UUID:
        workspace_id = await self._workspaces.find_by_slug(actor, slug)
        if workspace_id is None:
            raise WorkspaceNotFoundError(slug)
        return workspace_id

    async def page(self, actor: Actor, query: WorkspaceQuery) -> Page[AnyRow]:
        return await self._workspaces.page(actor, query)

    async def update(
        self, actor: Actor, workspace_id: UUID, changes: WorkspaceUpdate, precondition: Precondition
    ) -> Workspace:
        workspace, role = await lock_workspace(self._session, actor, workspace_id)
        require(policy.can_edit(role))
        precondition.check(workspace, changes.sent())
        with self._outbox.updating(actor, WorkspaceUpdated, workspace):
            workspace.change(changes.sent())
            await self._workspaces.flush()
        return workspace

    async def delete(self, actor: Actor, workspace_id: UUID, precondition: Precondition) -> None:
        workspace, role = await lock_workspace(self._session, actor, workspace_id)
        require(policy.can_delete(role))
        await require_recent_login(self._session, actor)
        precondition.check(workspace)
        self._outbox.record(actor, WorkspaceDeleted.of(workspace))
        workspace.change({"deleted_at": func.now()})
