from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Row, Uuid, bindparam, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import violated_constraint
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow

from .access import ACTOR_ID, IS_SIGNED_IN, TOKEN_ID, TOKEN_STANDS, ensure_signed_in, refuse
from .errors import (
    EmailTakenError,
    SessionNotFoundError,
    UsernameTakenError,
    UserNotFoundError,
)
from .models import REFRESH_GRACE, REFRESH_LIFETIME, ApiToken, SystemRole, User, UserSession

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


_ADMINS_LOCK = 4_752_011_948  # any number that nothing else in this database locks


class UserRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, user: User) -> User:
        self._session.add(user)
        await self.flush()
        return user

    async def add_verified(self, user: User) -> None:
        await self.add(user)
        await self._session.refresh(user, ["email_verified_at"])  # the database's clock

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
            await refuse(self._session, actor)
        return row

    async def get(self, user_id: UUID) -> AnyRow:
        one = select(*_COLUMNS).where(User.id == user_id, User.deleted_at.is_(None))
        row = (await self._session.execute(one)).one_or_none()
        if row is None:
            raise UserNotFoundError(user_id)
        return row

    async def page(self, query: PageQuery) -> Page[AnyRow]:
        there = select(*_COLUMNS).where(User.deleted_at.is_(None))
        return await fetch_page(self._session, there, query, _SORT_KEYS, User.id, {})

    async def lock_me(self, actor: Actor) -> User:
        # Of what is joined the lock sees what was there before it waited; of the user, what is there now.
        mine = select(User).where(User.id == ACTOR_ID, User.is_active, IS_SIGNED_IN).with_for_update(of=User)
        user = (await self._session.execute(mine, actor.binds)).scalar_one_or_none()
        if user is None:
            await refuse(self._session, actor)
        return user

    async def hold_me(self, actor: Actor) -> None:
        """Let my account not be deleted before the commit; what comes after it asks who I am."""
        mine = select(User.id).where(User.id == actor.user_id)
        await self._session.execute(mine.with_for_update(read=True, key_share=True))

    async def lock_admins(self) -> None:
        """Let nobody else who calls this ask whether there is an admin, until the commit."""
        await self._session.execute(select(func.pg_advisory_xact_lock(_ADMINS_LOCK)))

    async def has_admin(self, but: UUID | None = None) -> bool:
        """Whether there is an active one, other than this user."""
        admins = select(User.id).where(User.role == SystemRole.ADMIN, User.is_active)
        if but is not None:
            admins = admins.where(User.id != but)
        return (await self._session.execute(admins.limit(1))).first() is not None

    async def lock(self, user_id: UUID) -> User:
        one = select(User).where(User.id == user_id, User.deleted_at.is_(None)).with_for_update()
        user = (await self._session.execute(one)).scalar_one_or_none()
        if user is None:
            raise UserNotFoundError(user_id)
        return user

    async def find_active(self, user_id: UUID, *, locked: bool = False) -> User | None:
        one = select(User).where(User.id == user_id, User.is_active)
        if locked:
            one = one.with_for_update()
        return (await self._session.execute(one)).scalar_one_or_none()

    async def find_by_login(self, login: str) -> User | None:
        """An e-mail address has an @ and a username has none, so at most one account fits."""
        name = login.lower()
        fits = or_(func.lower(User.email) == name, func.lower(User.username) == name)
        return (await self._session.execute(select(User).where(fits))).scalar_one_or_none()


class ApiTokenRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def note_use(self, actor: Actor) -> bool:
        """Write down that it is used now; False when it does not stand."""
        used = (
            update(ApiToken)
            .where(ApiToken.id == TOKEN_ID, TOKEN_STANDS)
            .values(last_used_at=func.now(), version=ApiToken.version + 1)
            .returning(ApiToken.id)
        )
        return (await self._session.execute(used, actor.binds)).scalar_one_or_none() is not None

    async def revoke_all(self, user_id: UUID) -> None:
        revoked = update(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
        await self._session.execute(revoked.values(revoked_at=func.now(), version=ApiToken.version + 1))


class SessionRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, user_session: UserSession) -> None:
        self._session.add(user_session)
        await self._session.flush()

    async def remove(self, session_id: UUID) -> None:
        await self._session.execute(delete(UserSession).where(UserSession.id == session_id))

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

    async def page(self, actor: Actor, query: PageQuery) -> Page[AnyRow]:
        """Never empty: there is the one that asks."""
        binds = actor.binds
        page = await fetch_page(self._session, _SESSIONS, query, _SESSION_SORT_KEYS, UserSession.id, binds)
        if not page.items:
            await ensure_signed_in(self._session, actor)
        return page

    async def end_one(self, actor: Actor, session_id: UUID) -> None:
        ended = _MINE.where(UserSession.id == session_id).values(revoked_at=func.now())
        if (await self._session.execute(ended, actor.binds)).scalar_one_or_none() is None:
            await ensure_signed_in(self._session, actor)
            raise SessionNotFoundError(session_id)

    async def end_all(self, user_id: UUID, but: UUID | None = None) -> None:
        """End those that still stand, or all of them but one."""
        ended = update(UserSession).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
        if but is not None:
            ended = ended.where(UserSession.id != but)
        await self._session.execute(ended.values(revoked_at=func.now()))

    async def revoke(self, session_id: UUID) -> None:
        await self._session.execute(
            update(UserSession).where(UserSession.id == session_id).values(revoked_at=func.now())
        )

    async def mark_authenticated(self, actor: Actor) -> None:
        mine = update(UserSession).where(UserSession.id == actor.session_id)
        await self._session.execute(mine.values(authenticated_at=func.now()))

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
_MINE = (
    update(UserSession)
    .where(UserSession.user_id == ACTOR_ID, UserSession.revoked_at.is_(None), IS_SIGNED_IN)
    .returning(UserSession.id)
)
_SESSIONS = select(
    UserSession.id,
    UserSession.user_agent.label("device"),
    UserSession.created_at,
    UserSession.rotated_at.label("last_used_at"),
    (UserSession.id == bindparam("actor_session_id", type_=Uuid())).label("is_current"),
).where(UserSession.user_id == ACTOR_ID, IS_SIGNED_IN, *_LIVE)
_SESSION_SORT_KEYS = {
    "created_at": SortKey.of(UserSession.created_at, AwareDatetime),
    "last_used_at": SortKey.of(UserSession.rotated_at, AwareDatetime),
}
