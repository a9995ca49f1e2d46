from typing import NoReturn
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ACTOR_ID, IS_SIGNED_IN, ensure_signed_in
from glasswork.features.accounts.models import ApiToken, User

from .errors import ApiTokenNotFoundError

_MINE = (
    ApiToken.user_id == ACTOR_ID,
    ApiToken.revoked_at.is_(None),
    ApiToken.expires_at > func.now(),
    IS_SIGNED_IN,
)
_TOKENS = select(
    ApiToken.id,
    ApiToken.user_id,
    ApiToken.name,
    ApiToken.scopes,
    ApiToken.workspace_id,
    ApiToken.expires_at,
    ApiToken.last_used_at,
    ApiToken.version,
    ApiToken.created_at,
    ApiToken.updated_at,
).where(*_MINE)
_SORT_KEYS = {"created_at": SortKey.of(ApiToken.created_at, AwareDatetime)}


class ApiTokenRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, token: ApiToken) -> ApiToken:
        self._session.add(token)
        await self._session.flush()
        await self._session.refresh(token, ["expires_at"])  # reckoned by the database's clock
        return token

    async def get(self, actor: Actor, token_id: UUID) -> AnyRow:
        row = (await self._session.execute(_TOKENS.where(ApiToken.id == token_id), actor.binds)).one_or_none()
        return row if row is not None else await self._miss(actor, token_id)

    async def find_with_owner(self, token_id: UUID) -> AnyRow | None:
        one = (
            select(
                ApiToken.id,
                ApiToken.name,
                ApiToken.scopes,
                User.name.label("owner_name"),
                User.email.label("owner_email"),
            )
            .join(User, User.id == ApiToken.user_id)
            .where(ApiToken.id == token_id, User.is_active)
        )
        return (await self._session.execute(one)).one_or_none()

    async def page(self, actor: Actor, query: PageQuery) -> Page[AnyRow]:
        page = await fetch_page(self._session, _TOKENS, query, _SORT_KEYS, ApiToken.id, actor.binds)
        if not page.items:
            await ensure_signed_in(self._session, actor)
        return page

    async def lock(self, actor: Actor, token_id: UUID) -> ApiToken:
        one = select(ApiToken).where(ApiToken.id == token_id, *_MINE).with_for_update()
        token = (await self._session.execute(one, actor.binds)).scalar_one_or_none()
        return token if token is not None else await self._miss(actor, token_id)

    async def _miss(self, actor: Actor, token_id: UUID) -> NoReturn:
        await ensure_signed_in(self._session, actor)
        raise ApiTokenNotFoundError(token_id)
