"""The workspaces that the actor may see, with the role there; and how they are locked and joined."""

from typing import NoReturn
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.statements import AnyRow, Read
from glasswork.features.accounts.access import ACTOR, Who, ensure_signed_in, is_open_to_token, is_signed_in
from glasswork.features.accounts.models import User

from .errors import MemberNotFoundError, WorkspaceNotFoundError
from .models import Membership, Role, Workspace


def memberships_of(who: Who) -> Select[UUID, Role]:
    """Select where they may look, and with which role."""
    return (
        select(Membership.workspace_id, Membership.role)
        .join(Workspace, Workspace.id == Membership.workspace_id)
        .where(
            Membership.user_id == who.user_id,
            Membership.removed_at.is_(None),
            Workspace.deleted_at.is_(None),
            is_signed_in(who),
            is_open_to_token(Membership.workspace_id, who),
        )
    )


access = memberships_of(ACTOR).subquery("access")
"""`workspace_id`, `role`; joined to every statement about a tenant's rows."""

# What is shown of a member is also the user's, so a change of either raises the version.
JOINED = (
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
MEMBERS = JOINED.join(access, access.c.workspace_id == Membership.workspace_id)
"""As rows of `MemberRead`."""


_ROLE = Read(select(access.c.role).where(access.c.workspace_id == bindparam("workspace_id")))


async def role_in(session: AsyncSession, actor: Actor, workspace_id: UUID) -> Role:
    """Return the actor's role in a workspace that they may see."""
    binds = actor.binds | {"workspace_id": workspace_id}
    row = await _ROLE.find(session, binds)
    role: Role = row.role if row is not None else await miss(session, actor, workspace_id)
    return role


async def lock_workspace(session: AsyncSession, actor: Actor, workspace_id: UUID) -> Row[Workspace, Role]:
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
    row = (await session.execute(statement, actor.binds)).one_or_none()
    return row if row is not None else await miss(session, actor, workspace_id)


async def is_member(session: AsyncSession, workspace_id: UUID, user_id: UUID) -> bool:
    """Whether somebody who is named belongs to the workspace now; for whoever may see it."""
    statement = select(Membership.user_id).where(
        Membership.workspace_id == workspace_id,
        Membership.user_id == user_id,
        Membership.removed_at.is_(None),
    )
    return (await session.execute(statement)).first() is not None


async def get_member(session: AsyncSession, actor: Actor, workspace_id: UUID, user_id: UUID) -> AnyRow:
    statement = MEMBERS.where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
    row = (await session.execute(statement, actor.binds)).one_or_none()
    if row is None:
        raise MemberNotFoundError(user_id)
    return row


async def join(session: AsyncSession, workspace_id: UUID, user_id: UUID, role: Role) -> bool:
    """Make somebody a member, or again one; False when they are one already."""
    statement = insert(Membership).values(workspace_id=workspace_id, user_id=user_id, role=role, version=1)
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
    return (await session.execute(again)).scalar_one_or_none() is not None


async def miss(session: AsyncSession, actor: Actor, workspace_id: UUID) -> NoReturn:
    """Say why there is no such workspace for the actor."""
    await ensure_signed_in(session, actor)
    raise WorkspaceNotFoundError(workspace_id)
