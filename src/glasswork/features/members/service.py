from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.errors import ValidationError, require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import require_recent_login
from glasswork.features.workspaces.access import get_member, lock_workspace, role_in
from glasswork.features.workspaces.models import Role

from . import policy
from .errors import LastOwnerError
from .events import MemberDeleted, MemberUpdated
from .repository import MemberRepository
from .schemas import MemberQuery, MemberUpdate


class MemberService:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._members = MemberRepository(session)
        self._outbox = Outbox(session)

    async def get(self, actor: Actor, workspace_id: UUID, user_id: UUID) -> AnyRow:
        await role_in(self._session, actor, workspace_id)
        return await get_member(self._session, actor, workspace_id, user_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: MemberQuery) -> Page[AnyRow]:
        page = await self._members.page(actor, workspace_id, query)
        if not page.items:
            await role_in(self._session, actor, workspace_id)
        return page

    async def update(
        self,
        actor: Actor,
        workspace_id: UUID,
        user_id: UUID,
        changes: MemberUpdate,
        precondition: Precondition,
    ) -> AnyRow:
        # The workspace stays locked, so that two owners cannot demote each other at the same time.
        _, role = await lock_workspace(self._session, actor, workspace_id)
        member = await self._members.lock(actor, workspace_id, user_id)
        require(policy.can_change_role(role, member.role, changes.role or member.role))
        precondition.check(member, changes.sent())
        member.Membership.change(changes.sent())
        await self._keep_an_owner(workspace_id)
        changed = await get_member(self._session, actor, workspace_id, user_id)
        self._outbox.record(actor, MemberUpdated.between(MemberUpdated.show(member), changed))
        return changed

    async def transfer(self, actor: Actor, workspace_id: UUID, user_id: UUID) -> AnyRow:
        """Make a member owner in the actor's place, who stays as admin."""
        _, role = await lock_workspace(self._session, actor, workspace_id)
        require(policy.can_transfer(role))
        await require_recent_login(self._session, actor)
        if user_id == actor.user_id:
            raise ValidationError.at(["body", "user_id"], "are you yourself", "own_id")
        await self._set_role(actor, workspace_id, user_id, Role.OWNER)
        await self._set_role(actor, workspace_id, actor.user_id, Role.ADMIN)
        return await get_member(self._session, actor, workspace_id, user_id)

    async def _set_role(self, actor: Actor, workspace_id: UUID, user_id: UUID, role: Role) -> None:
        member = await self._members.lock(actor, workspace_id, user_id)
        before = MemberUpdated.show(member)
        member.Membership.change({"role": role})
        await self._members.flush()
        changed = await get_member(self._session, actor, workspace_id, user_id)
        self._outbox.record(actor, MemberUpdated.between(before, changed))

    async def remove(
        self, actor: Actor, workspace_id: UUID, user_id: UUID, precondition: Precondition
    ) -> None:
        _, role = await lock_workspace(self._session, actor, workspace_id)
        member = await self._members.lock(actor, workspace_id, user_id)
        require(policy.can_remove(actor, role, user_id, member.role))
        precondition.check(member)
        member.Membership.change({"removed_at": func.now()})
        await self._keep_an_owner(workspace_id)
        self._outbox.record(actor, MemberDeleted.of(member))

    async def _keep_an_owner(self, workspace_id: UUID) -> None:
        await self._members.flush()
        if not await self._members.has_owner(workspace_id):
            raise LastOwnerError
