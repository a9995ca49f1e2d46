from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.models import User
from glasswork.features.workspaces.access import MEMBERS
from glasswork.features.workspaces.errors import MemberNotFoundError
from glasswork.features.workspaces.models import Membership, Role

_SORT_KEYS = {
    "username": SortKey.of(func.lower(User.username).collate("C"), str),
    "created_at": SortKey.of(Membership.created_at, AwareDatetime),
}


class MemberRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        """Empty only for those who are no members themselves."""
        statement = MEMBERS.where(Membership.workspace_id == workspace_id)
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Membership.user_id, actor.binds)

    async def lock(self, actor: Actor, workspace_id: UUID, user_id: UUID) -> AnyRow:
        """Return the row as it is shown, with the `Membership` itself."""
        statement = (
            MEMBERS.add_columns(Membership)
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
