from collections.abc import Sequence
from typing import NoReturn
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Row, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow, violated_constraint
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.features.accounts.access import ACTOR_ID, IS_SIGNED_IN, ensure_signed_in
from glasswork.features.accounts.models import User

from .access import access
from .errors import InvitationNotFoundError, MemberNotFoundError, SlugTakenError, WorkspaceNotFoundError
from .models import Invitation, Membership, Role, Workspace

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

# What is shown of a member is also the user's, so a change of either raises the version.
_JOINED = (
    select(
        Membership.workspace_id,
        Membership.user_id,
        User.username,
        User.name,
        User.email,
        Membership.role,
        (Membership.version + User.version).label("version"),
        Membership.created_at,
        func.greatest(Membership.updated_at, User.updated_at).label("updated_at"),
    )
    .join(User, User.id == Membership.user_id)
    .where(Membership.removed_at.is_(None))
)
_MEMBERS = _JOINED.join(access, access.c.workspace_id == Membership.workspace_id)
_MEMBER_SORT_KEYS = {
    "username": SortKey.of(func.lower(User.username).collate("C"), str),
    "created_at": SortKey.of(Membership.created_at, AwareDatetime),
}

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
_INVITATION_SORT_KEYS = {"created_at": SortKey.of(Invitation.created_at, AwareDatetime)}


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
        return row if row is not None else await self._miss(actor, workspace_id)

    async def page(self, actor: Actor, query: PageQuery) -> Page[AnyRow]:
        page = await fetch_page(
            self._session, _WORKSPACES, query, _WORKSPACE_SORT_KEYS, Workspace.id, actor.binds
        )
        if not page.items:
            await ensure_signed_in(self._session, actor)
        return page

    async def role_of(self, actor: Actor, workspace_id: UUID) -> Role:
        statement = select(access.c.role).where(access.c.workspace_id == workspace_id)
        role: Role | None = (await self._session.execute(statement, actor.binds)).scalar_one_or_none()
        return role if role is not None else await self._miss(actor, workspace_id)

    async def find_by_slug(self, actor: Actor, slug: str) -> UUID | None:
        statement = _WORKSPACES.with_only_columns(Workspace.id).where(Workspace.slug == slug)
        return (await self._session.execute(statement, actor.binds)).scalar_one_or_none()

    async def lock(self, actor: Actor, workspace_id: UUID) -> Row[Workspace, Role]:
        """Lock it against others who do; who writes inside it does not wait.

        Every foreign key to the workspace is checked with a lock of its own, those of events behind their
        counter: FOR UPDATE would wait for such a writer's counter while the writer waits for us.
        """
        statement = (
            select(Workspace, access.c.role)
            .join(access, access.c.workspace_id == Workspace.id)
            .where(Workspace.id == workspace_id, Workspace.deleted_at.is_(None))
            .with_for_update(of=Workspace, key_share=True)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        return row if row is not None else await self._miss(actor, workspace_id)

    async def _miss(self, actor: Actor, workspace_id: UUID) -> NoReturn:
        await ensure_signed_in(self._session, actor)
        raise WorkspaceNotFoundError(workspace_id)


class MemberRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, workspace_id: UUID, user_id: UUID) -> AnyRow:
        statement = _MEMBERS.where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            raise MemberNotFoundError(user_id)
        return row

    async def get_joined(self, workspace_id: UUID, user_id: UUID) -> AnyRow:
        """Return somebody who has just become a member, and asks nothing yet."""
        statement = _JOINED.where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
        return (await self._session.execute(statement)).one()

    async def page(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        """Empty only for those who are no members themselves."""
        statement = _MEMBERS.where(Membership.workspace_id == workspace_id)
        return await fetch_page(
            self._session, statement, query, _MEMBER_SORT_KEYS, Membership.user_id, actor.binds
        )

    async def lock(self, actor: Actor, workspace_id: UUID, user_id: UUID) -> AnyRow:
        """Return the row as it is shown, with the `Membership` itself."""
        statement = (
            _MEMBERS.add_columns(Membership)
            .where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
            .with_for_update(of=Membership)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        if row is None:
            raise MemberNotFoundError(user_id)
        return row

    async def flush(self) -> None:
        await self._session.flush()

    async def has_owner(self, workspace_id: UUID) -> bool:
        statement = select(Membership.user_id).where(
            Membership.workspace_id == workspace_id,
            Membership.role == Role.OWNER,
            Membership.removed_at.is_(None),
        )
        return (await self._session.execute(statement.limit(1))).first() is not None

    async def has_email(self, workspace_id: UUID, email: str) -> bool:
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

    async def join(self, workspace_id: UUID, user_id: UUID, role: Role) -> bool:
        """Make somebody a member, or again one; False when they are one already."""
        statement = insert(Membership).values(
            workspace_id=workspace_id, user_id=user_id, role=role, version=1
        )
        again = statement.on_conflict_do_update(
            index_elements=[Membership.workspace_id, Membership.user_id],
            set_={
                "role": role,
                "removed_at": None,
                "version": Membership.version + 1,
                "updated_at": func.now(),
            },
            where=Membership.removed_at.is_not(None),
        ).returning(Membership.user_id)
        return (await self._session.execute(again)).scalar_one_or_none() is not None


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
        return await fetch_page(
            self._session, statement, query, _INVITATION_SORT_KEYS, Invitation.id, actor.binds
        )

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
