"""Who asks, as a condition of every statement: no look-up of the user comes before it."""

from sqlalchemy import ColumnElement, Uuid, bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.errors import require

from .errors import SessionEndedError
from .models import REFRESH_LIFETIME, User, UserSession
from .policy import can_administer

ACTOR_ID: ColumnElement[object] = bindparam("actor_user_id", type_=Uuid())

IS_SIGNED_IN = exists(
    select(UserSession.id)
    .join(User, User.id == UserSession.user_id)
    .where(
        UserSession.id == bindparam("actor_session_id", type_=Uuid()),
        UserSession.user_id == ACTOR_ID,
        UserSession.revoked_at.is_(None),
        UserSession.rotated_at > func.now() - REFRESH_LIFETIME,
        User.is_active,
    )
)

_SIGNED_IN = select(IS_SIGNED_IN)
_ROLE = select(User.role).where(User.id == ACTOR_ID, IS_SIGNED_IN)


async def require_admin(session: AsyncSession, actor: Actor) -> None:
    """For what concerns the installation."""
    role = (await session.execute(_ROLE, actor.binds)).scalar_one_or_none()
    if role is None:
        raise SessionEndedError
    require(can_administer(role))


async def ensure_signed_in(session: AsyncSession, actor: Actor) -> None:
    """Call it when a statement found nothing: a session that has ended is the first reason to tell."""
    if not (await session.execute(_SIGNED_IN, actor.binds)).scalar_one():
        raise SessionEndedError
