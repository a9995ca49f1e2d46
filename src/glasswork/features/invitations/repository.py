from collections.abc import Sequence
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Row, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ACTOR_ID, IS_SIGNED_IN, ensure_signed_in
from glasswork.features.accounts.models import User
from glasswork.features.workspaces.access import JOINED, access
from glasswork.features.workspaces.models import Membership, Workspace

from .errors import InvitationNotFoundError
from .models import Invitation

_IS_PENDING = (
    Invitation.accepted_at.is_(None),
    Invitation.withdrawn_at.is_(None),
    Invitation.expires_at > func.now(),
)
_INVITATIONS = (
    select(
        Invitation.id,
        Invitation.workspace_id,
        Invitation.email,
        Invitation.role,
        Invitation.invited_by,
        Invitation.expires_at,
        Invitation.version,
        Invitation.created_at,
        Invitation.updated_at,
    )
    .join(access, access.c.workspace_id == Invitation.workspace_id)
    .where(*_IS_PENDING)
)
_LEADS_SOMEWHERE = exists(
    select(Workspace.id).where(Workspace.id == Invitation.workspace_id, Workspace.deleted_at.is_(None))
)
_LETTERS = (
    select(
        Invitation.email,
        Invitation.role,
        Invitation.token_hash,
        Workspace.name.label("workspace_name"),
        User.name.label("inviter_name"),
    )
    .join(Workspace, Workspace.id == Invitation.workspace_id)
    .join(User, User.id == Invitation.invited_by)
    .where(*_IS_PENDING, Workspace.deleted_at.is_(None))
)
_SORT_KEYS = {"created_at": SortKey.of(Invitation.created_at, AwareDatetime)}


class InvitationRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, invitation: Invitation) -> Invitation:
        self._session.add(invitation)
        await self.flush()
        return invitation

    async def flush(self) -> None:
        await self._session.flush()

    async def get(self, actor: Actor, workspace_id: UUID, invitation_id: UUID) -> AnyRow:
        statement = _INVITATIONS.where(
            Invitation.workspace_id == workspace_id, Invitation.id == invitation_id
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            raise InvitationNotFoundError
        return row

    async def page(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        statement = _INVITATIONS.where(Invitation.workspace_id == workspace_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Invitation.id, actor.binds)

    async def withdraw(self, workspace_id: UUID, invitation_id: UUID) -> None:
        statement = (
            update(Invitation)
            .where(Invitation.workspace_id == workspace_id, Invitation.id == invitation_id, *_IS_PENDING)
            .values(withdrawn_at=func.now(), version=Invitation.version + 1)
            .returning(Invitation.id)
        )
        if (await self._session.execute(statement)).scalar_one_or_none() is None:
            raise InvitationNotFoundError

    async def lock_all(self, workspace_id: UUID, email: str) -> Sequence[Invitation]:
        """The invitations to an address that wait for an answer."""
        statement = select(Invitation).where(
            Invitation.workspace_id == workspace_id,
            func.lower(Invitation.email) == email.lower(),
            *_IS_PENDING,
        )
        return (await self._session.scalars(statement.with_for_update())).all()

    async def lock(self, actor: Actor, token_hash: str) -> Row[Invitation, bool]:
        """Lock a pending invitation: of two callers one finds it. Return also whether it is the actor's."""
        is_mine = (
            select(User.id)
            .where(User.id == ACTOR_ID, func.lower(User.email) == func.lower(Invitation.email))
            .exists()
        )
        statement = (
            select(Invitation, is_mine.label("is_mine"))
            .where(Invitation.token_hash == token_hash, *_IS_PENDING, _LEADS_SOMEWHERE, IS_SIGNED_IN)
            .with_for_update(of=Invitation)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            await ensure_signed_in(self._session, actor)
            raise InvitationNotFoundError
        return row

    async def lock_for_anybody(self, token_hash: str) -> Invitation:
        """Lock a pending invitation for whoever has no account yet."""
        statement = select(Invitation).where(
            Invitation.token_hash == token_hash, *_IS_PENDING, _LEADS_SOMEWHERE
        )
        invitation = (await self._session.execute(statement.with_for_update())).scalar_one_or_none()
        if invitation is None:
            raise InvitationNotFoundError
        return invitation

    async def find_letter(self, workspace_id: UUID, invitation_id: UUID) -> AnyRow | None:
        statement = _LETTERS.where(Invitation.workspace_id == workspace_id, Invitation.id == invitation_id)
        return (await self._session.execute(statement)).one_or_none()

    async def has_member(self, workspace_id: UUID, email: str) -> bool:
        statement = (
            select(Membership.user_id)
            .join(User, User.id == Membership.user_id)
            .where(
                Membership.workspace_id == workspace_id,
                func.lower(User.email) == email.lower(),
                Membership.removed_at.is_(None),
            )
        )
        return (await self._session.execute(statement)).first() is not None

    async def get_joined(self, workspace_id: UUID, user_id: UUID) -> AnyRow:
        """Return somebody who has just become a member, and asks nothing yet."""
        statement = JOINED.where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
        return (await self._session.execute(statement)).one()
