from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.db import AnyRow
from glasswork.core.errors import ValidationError, require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.tokens import Keys, digest, invitation_token
from glasswork.features.accounts.access import ensure_open_everywhere, require_recent_login
from glasswork.features.accounts.models import User
from glasswork.features.accounts.schemas import Registration
from glasswork.features.accounts.service import AccountService, UserLookup

from . import policy
from .errors import AlreadyMemberError, InvitedSomebodyElseError, LastOwnerError, WorkspaceNotFoundError
from .events import (
    InvitationCreated,
    InvitationDeleted,
    MemberCreated,
    MemberDeleted,
    MemberUpdated,
    WorkspaceCreated,
    WorkspaceDeleted,
    WorkspaceUpdated,
)
from .models import Invitation, Role, Workspace
from .repository import InvitationRepository, MemberRepository, WorkspaceRepository
from .schemas import (
    InvitationCreate,
    InvitationIssued,
    InvitationQuery,
    InvitationRead,
    InvitedRegistration,
    MemberQuery,
    MemberUpdate,
    WorkspaceCreate,
    WorkspaceQuery,
    WorkspaceUpdate,
)


class WorkspaceService:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._workspaces = WorkspaceRepository(session)
        self._members = MemberRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, new: WorkspaceCreate) -> Workspace:
        await ensure_open_everywhere(self._session, actor)
        workspace = Workspace(name=new.name, slug=new.slug, created_by=actor.user_id)
        await self._workspaces.add(workspace)
        await self._members.join(workspace.id, actor.user_id, Role.OWNER)
        self._outbox.record(actor, WorkspaceCreated.of(workspace))
        owner = await self._members.get(actor, workspace.id, actor.user_id)
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

    async def role_of(self, actor: Actor, workspace_id: UUID) -> Role:
        return await self._workspaces.role_of(actor, workspace_id)

    async def update(
        self, actor: Actor, workspace_id: UUID, changes: WorkspaceUpdate, precondition: Precondition
    ) -> Workspace:
        workspace, role = await self._workspaces.lock(actor, workspace_id)
        require(policy.can_edit(role))
        precondition.check(workspace, changes.sent())
        with self._outbox.updating(actor, WorkspaceUpdated, workspace):
            workspace.change(changes.sent())
            await self._workspaces.flush()
        return workspace

    async def delete(self, actor: Actor, workspace_id: UUID, precondition: Precondition) -> None:
        workspace, role = await self._workspaces.lock(actor, workspace_id)
        require(policy.can_delete(role))
        await require_recent_login(self._session, actor)
        precondition.check(workspace)
        self._outbox.record(actor, WorkspaceDeleted.of(workspace))
        workspace.change({"deleted_at": func.now()})


class MemberService:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._workspaces = WorkspaceRepository(session)
        self._members = MemberRepository(session)
        self._outbox = Outbox(session)

    async def get(self, actor: Actor, workspace_id: UUID, user_id: UUID) -> AnyRow:
        await self._workspaces.role_of(actor, workspace_id)
        return await self._members.get(actor, workspace_id, user_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: MemberQuery) -> Page[AnyRow]:
        page = await self._members.page(actor, workspace_id, query)
        if not page.items:
            await self._workspaces.role_of(actor, workspace_id)
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
        _, role = await self._workspaces.lock(actor, workspace_id)
        member = await self._members.lock(actor, workspace_id, user_id)
        require(policy.can_change_role(role, member.role, changes.role or member.role))
        precondition.check(member, changes.sent())
        member.Membership.change(changes.sent())
        await self._keep_an_owner(workspace_id)
        changed = await self._members.get(actor, workspace_id, user_id)
        self._outbox.record(actor, MemberUpdated.between(MemberUpdated.show(member), changed))
        return changed

    async def transfer(self, actor: Actor, workspace_id: UUID, user_id: UUID) -> AnyRow:
        """Make a member owner in the actor's place, who stays as admin."""
        _, role = await self._workspaces.lock(actor, workspace_id)
        require(policy.can_transfer(role))
        await require_recent_login(self._session, actor)
        if user_id == actor.user_id:
            raise ValidationError.at(["body", "user_id"], "are you yourself", "own_id")
        await self._set_role(actor, workspace_id, user_id, Role.OWNER)
        await self._set_role(actor, workspace_id, actor.user_id, Role.ADMIN)
        return await self._members.get(actor, workspace_id, user_id)

    async def _set_role(self, actor: Actor, workspace_id: UUID, user_id: UUID, role: Role) -> None:
        member = await self._members.lock(actor, workspace_id, user_id)
        before = MemberUpdated.show(member)
        member.Membership.change({"role": role})
        await self._members.flush()
        changed = await self._members.get(actor, workspace_id, user_id)
        self._outbox.record(actor, MemberUpdated.between(before, changed))

    async def remove(
        self, actor: Actor, workspace_id: UUID, user_id: UUID, precondition: Precondition
    ) -> None:
        _, role = await self._workspaces.lock(actor, workspace_id)
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


class InvitationService:
    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._users = UserLookup(session)
        self._workspaces = WorkspaceRepository(session)
        self._members = MemberRepository(session)
        self._keys = keys
        self._invitations = InvitationRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, workspace_id: UUID, new: InvitationCreate) -> InvitationIssued:
        # The workspace stays locked, so that of two invitations at the same time one replaces the other.
        _, role = await self._workspaces.lock(actor, workspace_id)
        require(policy.can_invite(role, new.role))
        if await self._members.has_email(workspace_id, new.email):
            raise AlreadyMemberError
        for replaced in await self._invitations.lock_all(workspace_id, new.email):
            self._outbox.record(actor, InvitationDeleted.of(replaced))
            replaced.change({"withdrawn_at": func.now()})
        invitation_id = uuid7()
        token = invitation_token(self._keys, invitation_id)
        invitation = await self._invitations.add(
            Invitation(
                id=invitation_id,
                workspace_id=workspace_id,
                email=new.email,
                role=new.role,
                invited_by=actor.user_id,
                token_hash=digest(token),
            )
        )
        self._outbox.record(actor, InvitationCreated.of(invitation))
        return InvitationIssued(**InvitationRead.model_validate(invitation).model_dump(), token=token)

    async def get(self, actor: Actor, workspace_id: UUID, invitation_id: UUID) -> AnyRow:
        require(policy.can_see_invitations(await self._workspaces.role_of(actor, workspace_id)))
        return await self._invitations.get(actor, workspace_id, invitation_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: InvitationQuery) -> Page[AnyRow]:
        require(policy.can_see_invitations(await self._workspaces.role_of(actor, workspace_id)))
        return await self._invitations.page(actor, workspace_id, query)

    async def withdraw(self, actor: Actor, workspace_id: UUID, invitation_id: UUID) -> None:
        require(policy.can_see_invitations(await self._workspaces.role_of(actor, workspace_id)))
        invitation = await self._invitations.get(actor, workspace_id, invitation_id)
        await self._invitations.withdraw(workspace_id, invitation_id)
        self._outbox.record(actor, InvitationDeleted.of(invitation))

    async def letter(self, workspace_id: UUID, invitation_id: UUID) -> tuple[AnyRow, str] | None:
        """Return what the invited one is told, and the token, while the invitation waits for an answer."""
        invitation = await self._invitations.find_letter(workspace_id, invitation_id)
        if invitation is None:
            return None
        candidates = (invitation_token(keys, invitation_id) for keys in self._keys.all)
        return next(
            ((invitation, token) for token in candidates if digest(token) == invitation.token_hash), None
        )

    async def register(self, accounts: AccountService, new: InvitedRegistration) -> User:
        """Open an account for the invited address, and make it a member."""
        invitation = await self._invitations.lock_for_anybody(digest(new.token.get_secret_value()))
        user = await accounts.register(
            Registration(
                email=invitation.email,
                username=new.username,
                name=new.name,
                password=new.password,
                date_of_birth=new.date_of_birth,
            )
        )
        self._outbox.record(None, InvitationDeleted.of(invitation))
        invitation.change({"accepted_at": func.now()})
        await self._members.join(invitation.workspace_id, user.id, invitation.role)
        member = await self._members.get_joined(invitation.workspace_id, user.id)
        self._outbox.record(None, MemberCreated.of(member))
        return user

    async def accept(self, actor: Actor, token: str) -> AnyRow:
        await self._users.hold_me(actor)
        invitation, is_mine = await self._invitations.lock(actor, digest(token))
        if not is_mine:
            raise InvitedSomebodyElseError
        self._outbox.record(actor, InvitationDeleted.of(invitation))
        invitation.change({"accepted_at": func.now()})
        await self._invitations.flush()
        if not await self._members.join(invitation.workspace_id, actor.user_id, invitation.role):
            raise AlreadyMemberError
        workspace_id = invitation.workspace_id
        member = await self._members.get(actor, workspace_id, actor.user_id)
        self._outbox.record(actor, MemberCreated.of(member))
        return await self._workspaces.get(actor, workspace_id)
