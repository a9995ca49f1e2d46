from datetime import datetime, timedelta
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow, violated_constraint
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page

from .access import ACTOR_ID, IS_SIGNED_IN, ensure_signed_in
from .errors import (
    EmailTakenError,
    InvalidOneTimeTokenError,
    SessionEndedError,
    UsernameTakenError,
    UserNotFoundError,
)
from .models import (
    REFRESH_GRACE,
    REFRESH_LIFETIME,
    OneTimeToken,
    Purpose,
    User,
    UserSession,
)

_COLUMNS = (
    User.id,
    User.email,
    User.username,
    User.name,
    User.role,
    User.is_active,
    User.email_verified_at,
    User.version,
    User.created_at,
    User.updated_at,
)
_ME = select(*_COLUMNS).where(User.id == ACTOR_ID, IS_SIGNED_IN)
_SORT_KEYS = {
    "created_at": SortKey.of(User.created_at, AwareDatetime),
    "username": SortKey.of(func.lower(User.username).collate("C"), str),
}


class UserRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, user: User) -> User:
        self._session.add(user)
        await self.flush()
        return user

    async def flush(self) -> None:
        """Store what has changed now, so that a constraint is violated here and not at commit."""
        try:
            await self._session.flush()
        except IntegrityError as error:
            match violated_constraint(error):
                case "uq_users_email":
                    raise EmailTakenError from error
                case "uq_users_username":
                    raise UsernameTakenError from error
                case _:
                    raise

    async def me(self, actor: Actor) -> AnyRow:
        row = (await self._session.execute(_ME, actor.binds)).one_or_none()
        if row is None:
            raise SessionEndedError
        return row

    async def get(self, user_id: UUID) -> AnyRow:
        row = (await self._session.execute(select(*_COLUMNS).where(User.id == user_id))).one_or_none()
        if row is None:
            raise UserNotFoundError(user_id)
        return row

    async def page(self, query: PageQuery) -> Page[AnyRow]:
        return await fetch_page(self._session, select(*_COLUMNS), query, _SORT_KEYS, User.id, {})

    async def lock_me(self, actor: Actor) -> User:
        mine = select(User).where(User.id == ACTOR_ID, IS_SIGNED_IN).with_for_update(of=User)
        user = (await self._session.execute(mine, actor.binds)).scalar_one_or_none()
        if user is None:
            raise SessionEndedError
        return user

    async def lock(self, user_id: UUID) -> User:
        one = select(User).where(User.id == user_id).with_for_update()
        user = (await self._session.execute(one)).scalar_one_or_none()
        if user is None:
            raise UserNotFoundError(user_id)
        return user

    async def find_by_login(self, login: str) -> User | None:
        """An e-mail address has an @ and a username has none, so at most one account fits."""
        name = login.lower()
        fits = or_(func.lower(User.email) == name, func.lower(User.username) == name)
        return (await self._session.execute(select(User).where(fits))).scalar_one_or_none()


class OneTimeTokenRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, token_hash: str, user_id: UUID, purpose: Purpose, lifetime: timedelta) -> None:
        """A token that is there already stays: a job that runs again sends the same one."""
        values = {"token_hash": token_hash, "user_id": user_id, "purpose": purpose}
        statement = insert(OneTimeToken).values(**values, expires_at=func.now() + lifetime)
        await self._session.execute(statement.on_conflict_do_nothing())

    async def use(self, token_hash: str, purpose: Purpose) -> tuple[User, datetime]:
        """Use it up, in one statement: of two callers one goes through. Return whose it was, and the time."""
        used = (
            update(OneTimeToken)
            .where(
                OneTimeToken.token_hash == token_hash,
                OneTimeToken.purpose == purpose,
                OneTimeToken.used_at.is_(None),
                OneTimeToken.expires_at > func.now(),
            )
            .values(used_at=func.now())
            .returning(OneTimeToken.user_id, OneTimeToken.used_at)
        )
        row = (await self._session.execute(used)).one_or_none()
        if row is None:
            raise InvalidOneTimeTokenError
        user = select(User).where(User.id == row.user_id).with_for_update()
        return (await self._session.execute(user)).scalar_one(), row.used_at


class SessionRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, user_session: UserSession) -> None:
        self._session.add(user_session)
        await self._session.flush()

    async def rotate(self, session_id: UUID, sequence: int) -> UUID | None:
        """Take the place of the token with this sequence, if it is the valid one; return whose it is.

        One statement: of callers that present the same token at the same time one goes through.
        """
        rotation = (
            update(UserSession)
            .where(UserSession.id == session_id, UserSession.sequence == sequence, *_LIVE)
            .values(sequence=sequence + 1, rotated_at=func.now())
            .returning(UserSession.user_id)
        )
        return (await self._session.execute(rotation)).scalar_one_or_none()

    async def find_live(self, session_id: UUID) -> Row[UUID, int, bool] | None:
        """Return whose session it is, its sequence, and whether it was rotated within the grace."""
        fresh = UserSession.rotated_at > func.now() - REFRESH_GRACE
        live = select(UserSession.user_id, UserSession.sequence, fresh.label("is_fresh")).where(
            UserSession.id == session_id, *_LIVE
        )
        return (await self._session.execute(live)).one_or_none()

    async def revoke(self, session_id: UUID) -> None:
        await self._session.execute(
            update(UserSession).where(UserSession.id == session_id).values(revoked_at=func.now())
        )

    async def end(self, actor: Actor) -> None:
        mine = (
            update(UserSession)
            .where(UserSession.id == actor.session_id, IS_SIGNED_IN)
            .values(revoked_at=func.now())
            .returning(UserSession.id)
        )
        if (await self._session.execute(mine, actor.binds)).scalar_one_or_none() is None:
            await ensure_signed_in(self._session, actor)


_LIVE = (
    UserSession.revoked_at.is_(None),
    UserSession.rotated_at > func.now() - REFRESH_LIFETIME,
    select(User.id).where(User.id == UserSession.user_id, User.is_active).exists(),
)
