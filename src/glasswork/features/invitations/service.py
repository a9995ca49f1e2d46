from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.actor import Actor
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import Keys, digest, invitation_token
from glasswork.features.accounts.models import User
from glasswork.features.accounts.schemas import Registration
from glasswork.features.accounts.service import AccountService, UserLookup
from glasswork.features.workspaces.access import get_member, join, lock_workspace, role_in
from glasswork.features.workspaces.events import MemberCreated
from glasswork.features.workspaces.service import WorkspaceService

from . import policy
from .errors import AlreadyMemberError, InvitedSomebodyElseError
from .events import InvitationCreated, InvitationDeleted
from .models import Invitation
from .repository import InvitationRepository
from .schemas import InvitationCreate, InvitationIssued, InvitationQuery, InvitationRead, InvitedRegistration


class InvitationService:
    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._session = session
        self._users = UserLookup(session)
        self._workspaces = WorkspaceService(session)
        self._keys = keys
        self._invitations = InvitationRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, workspace_id: UUID, new: InvitationCreate) -> InvitationIssued:
        # The workspace stays locked, so that of two invitations at the same time one replaces the other.
        _, role = await lock_workspace(self._session, actor, workspace_id)
        require(policy.can_invite(role, new.role))
        if await self._invitations.has_member(workspace_id, new.email):
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
        require(policy.can_see_invitations(await role_in(self._session, actor, workspace_id)))
        return await self._invitations.get(actor, workspace_id, invitation_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: InvitationQuery) -> Page[AnyRow]:
        require(policy.can_see_invitations(await role_in(self._session, actor, workspace_id)))
        return await self._invitations.page(actor, workspace_id, query)

    async def withdraw(self, actor: Actor, workspace_id: UUID, invitation_id: UUID) -> None:
        require(policy.can_see_invitations(await role_in(self._session, actor, workspace_id)))
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
        await join(self._session, invitation.workspace_id, user.id, invitation.role)
        member = await self._invitations.get_joined(invitation.workspace_id, user.id)
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
        if not await join(self._session, invitation.workspace_id, actor.user_id, invitation.role):
            raise AlreadyMemberError
        workspace_id = invitation.workspace_id
        member = await get_member(self._session, actor, workspace_id, actor.user_id)
        self._outbox.record(actor, MemberCreated.of(member))
        return await self._workspaces.get(actor, workspace_id)
