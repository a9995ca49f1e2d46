"""Who asks, as a condition of every statement: no look-up of the user comes before it."""

from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, Uuid, and_, bindparam, exists, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from glasswork.core.actor import Actor
from glasswork.core.errors import require
from glasswork.core.tokens import InvalidTokenError

from .errors import MissingScopeError, ReauthenticationRequiredError, SessionEndedError
from .models import RECENT_LOGIN, REFRESH_LIFETIME, ApiToken, User, UserSession
from .policy import can_administer

ACTOR_ID: ColumnElement[object] = bindparam("actor_user_id", type_=Uuid())
TOKEN_ID: ColumnElement[object] = bindparam("actor_token_id", type_=Uuid())


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a statement asks about, as columns: the actor, or each of many."""

    user_id: ColumnElement[Any]
    session_id: ColumnElement[Any]
    token_id: ColumnElement[Any]
    token_hash: ColumnElement[Any]
    scope: ColumnElement[Any]


ACTOR = Who(
    ACTOR_ID,
    bindparam("actor_session_id", type_=Uuid()),
    TOKEN_ID,
    bindparam("actor_token_hash", type_=Text()),
    bindparam("actor_scope", type_=Text()),
)


def _session_of(who: Who) -> Select[UUID]:
    return (
        select(UserSession.id)
        .join(User, User.id == UserSession.user_id)
        .where(
            UserSession.id == who.session_id,
            UserSession.user_id == who.user_id,
            UserSession.revoked_at.is_(None),
            UserSession.rotated_at > func.now() - REFRESH_LIFETIME,
            User.is_active,
        )
    )


def _token_of(who: Who) -> Select[list[str]]:
    return (
        select(ApiToken.scopes)
        .join(User, User.id == ApiToken.user_id)
        .where(
            ApiToken.id == who.token_id,
            ApiToken.user_id == who.user_id,
            ApiToken.token_hash == who.token_hash,
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > func.now(),
            User.is_active,
        )
    )


def is_signed_in(who: Who) -> ColumnElement[bool]:
    """Whether the session still stands, or the API token does and has the scope."""
    has_token = exists(_token_of(who).where(who.scope == func.any(ApiToken.scopes)))
    return or_(exists(_session_of(who)), has_token)


_SESSION, _TOKEN = _session_of(ACTOR), _token_of(ACTOR)
TOKEN_STANDS = exists(_TOKEN)
IS_SIGNED_IN = is_signed_in(ACTOR)
"""Of the actor."""

_IS_KEPT = exists(_TOKEN.where(ApiToken.workspace_id.is_not(None)))
IS_OPEN_EVERYWHERE = and_(IS_SIGNED_IN, not_(_IS_KEPT))
"""Likewise, and it is no API token that is kept to one workspace; `ensure_open_everywhere` says why not."""

_SIGNED_IN = select(IS_SIGNED_IN)
_KEPT = select(IS_SIGNED_IN, _IS_KEPT)
_RECENT = select(
    IS_SIGNED_IN, exists(_SESSION.where(UserSession.authenticated_at > func.now() - RECENT_LOGIN))
)
_ROLE = select(User.role).where(User.id == ACTOR_ID, IS_SIGNED_IN)


def is_open_to_token(workspace_id: InstrumentedAttribute[UUID], who: Who = ACTOR) -> ColumnElement[bool]:
    """Whether it is a session, or an API token that is not kept to another workspace."""
    reaches = exists(
        select(ApiToken.id)
        .where(
            ApiToken.id == who.token_id,
            or_(ApiToken.workspace_id.is_(None), ApiToken.workspace_id == workspace_id),
        )
        .correlate_except(ApiToken)
    )
    return or_(who.token_id.is_(None), reaches)


async def require_admin(session: AsyncSession, actor: Actor) -> None:
    """For what concerns the installation."""
    role = (await session.execute(_ROLE, actor.binds)).scalar_one_or_none()
    if role is None:
        await refuse(session, actor)
    require(can_administer(role))


async def require_recent_login(session: AsyncSession, actor: Actor) -> None:
    """For what a stolen session, or one left open, must not do; no API token passes."""
    is_signed_in, is_recent = (await session.execute(_RECENT, actor.binds)).one()
    if not is_signed_in:
        await refuse(session, actor)
    if not is_recent:
        raise ReauthenticationRequiredError(RECENT_LOGIN)


async def ensure_signed_in(session: AsyncSession, actor: Actor) -> None:
    """Call it when a statement found nothing: a session that has ended is the first reason to tell."""
    if not (await session.execute(_SIGNED_IN, actor.binds)).scalar_one():
        await refuse(session, actor)


async def ensure_open_everywhere(session: AsyncSession, actor: Actor) -> None:
    """For what stands in no workspace that there is: an API token that is kept to one does not do."""
    is_signed_in, is_kept = (await session.execute(_KEPT, actor.binds)).one()
    if not is_signed_in:
        await refuse(session, actor)
    require(not is_kept)


async def refuse(session: AsyncSession, actor: Actor) -> NoReturn:
    """Say why somebody is not signed in."""
    if actor.token is None:
        raise SessionEndedError
    if (await session.execute(_TOKEN, actor.binds)).one_or_none() is None:
        raise InvalidTokenError
    raise MissingScopeError(actor.token.scope)
