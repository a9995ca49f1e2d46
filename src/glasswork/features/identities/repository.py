from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import violated_constraint
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ACTOR_ID, IS_SIGNED_IN, ensure_signed_in
from glasswork.features.accounts.models import User

from .errors import IdentityNotFoundError, IdentityTakenError
from .models import Identity

_MINE = (Identity.user_id == ACTOR_ID, IS_SIGNED_IN)
_IDENTITIES = select(
    Identity.id,
    Identity.user_id,
    Identity.provider,
    Identity.email,
    Identity.created_at,
    Identity.last_used_at,
).where(*_MINE)
_SORT_KEYS = {"created_at": SortKey.of(Identity.created_at, AwareDatetime)}


class IdentityRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find_owner(self, provider: str, subject: str) -> UUID | None:
        """Return whose it is, and write down that it is used now."""
        used = (
            update(Identity)
            .where(Identity.provider == provider, Identity.subject == subject)
            .values(last_used_at=func.now())
            .returning(Identity.user_id)
        )
        return (await self._session.execute(used)).scalar_one_or_none()

    async def add(self, identity: Identity) -> Identity:
        self._session.add(identity)
        try:
            await self._session.flush()
        except IntegrityError as error:
            if violated_constraint(error) == "uq_identities_provider_subject":
                raise IdentityTakenError from error
            raise
        return identity

    async def page(self, actor: Actor, query: PageQuery) -> Page[AnyRow]:
        page = await fetch_page(self._session, _IDENTITIES, query, _SORT_KEYS, Identity.id, actor.binds)
        if not page.items:
            await ensure_signed_in(self._session, actor)
        return page

    async def get(self, actor: Actor, identity_id: UUID) -> Identity:
        one = select(Identity).where(Identity.id == identity_id, *_MINE)
        identity = (await self._session.execute(one, actor.binds)).scalar_one_or_none()
        if identity is None:
            await ensure_signed_in(self._session, actor)
            raise IdentityNotFoundError(identity_id)
        return identity

    async def count(self, user_id: UUID) -> int:
        of_user = select(func.count()).select_from(Identity).where(Identity.user_id == user_id)
        return (await self._session.execute(of_user)).scalar_one()

    async def delete(self, identity: Identity) -> None:
        await self._session.delete(identity)
        await self._session.flush()

    async def find_with_owner(self, identity_id: UUID) -> AnyRow | None:
        one = (
            select(
                Identity.id,
                Identity.provider,
                Identity.email,
                User.name.label("owner_name"),
                User.email.label("owner_email"),
            )
            .join(User, User.id == Identity.user_id)
            .where(Identity.id == identity_id, User.is_active)
        )
        return (await self._session.execute(one)).one_or_none()
