from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core import passwords, tokens
from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import InvalidTokenError, Keys

from .access import ensure_signed_in, require_admin
from .errors import (
    InvalidCredentialsError,
    InvalidRefreshTokenError,
    RefreshTokenReusedError,
    UserNotFoundError,
)
from .events import SessionReused, UserCreated, UserUpdated
from .models import SystemRole, User, UserSession
from .policy import PasswordRules, refuse_unfit, refuse_young
from .repository import ApiTokenRepository, SessionRepository, UserRepository
from .schemas import Registration, SessionQuery, TokenPair, UserAdministration, UserQuery, UserUpdate

_USES_APART: Final = 60.0  # seconds
_USES_KEPT: Final = 10_000
_OWNER_KNOWN: Final = 2 * _USES_APART


class UserLookup(UserRepository):
    """Users as entities, for the slices above."""


class AccountService:
    """Accounts as their owners and the installation's admins see them."""

    def __init__(self, session: AsyncSession, rules: PasswordRules, min_age: int | None = None) -> None:
        self._session = session
        self._users = UserRepository(session)
        self._sessions = SessionRepository(session)
        self._api_tokens = ApiTokenRepository(session)
        self._outbox = Outbox(session)
        self._rules = rules
        self._min_age = min_age

    async def register(self, new: Registration, role: SystemRole = SystemRole.USER) -> User:
        refuse_young(new.date_of_birth, self._min_age, datetime.now(UTC).date())
        password = new.password.get_secret_value()
        refuse_unfit(password, self._rules, "password", new.username, new.email.partition("@")[0])
        user = User(email=new.email, username=new.username, name=new.name, role=role)
        user.password_hash = await passwords.hash_in_thread(password)
        await self._users.add(user)
        self._outbox.record(None, UserCreated.of(user))
        return user

    async def open_verified(self, email: str, username: str, name: str) -> User:
        """For whoever has proved elsewhere that the address is theirs; it has no password yet."""
        user = User(email=email, username=username, name=name, email_verified_at=func.now())
        await self._users.add_verified(user)
        self._outbox.record(None, UserCreated.of(user))
        return user

    async def me(self, actor: Actor) -> AnyRow:
        return await self._users.me(actor)

    async def update_me(self, actor: Actor, changes: UserUpdate, precondition: Precondition) -> User:
        user = await self._users.lock_me(actor)
        return await self._change(actor, user, changes.sent(), precondition)

    async def page(self, actor: Actor, query: UserQuery) -> Page[AnyRow]:
        await require_admin(self._session, actor)
        return await self._users.page(query)

    async def get(self, actor: Actor, user_id: UUID) -> AnyRow:
        await require_admin(self._session, actor)
        return await self._users.get(user_id)

    async def update(
        self, actor: Actor, user_id: UUID, changes: UserAdministration, precondition: Precondition
    ) -> User:
        await require_admin(self._session, actor)
        return await self._change(actor, await self._users.lock(user_id), changes.sent(), precondition)

    async def _change(
        self, actor: Actor, user: User, fields: dict[str, Any], precondition: Precondition
    ) -> User:
        precondition.check(user, fields)
        with self._outbox.updating(actor, UserUpdated, user):
            user.change(fields)
            await self._users.flush()
        if not user.is_active:
            await self._sessions.end_all(user.id)
            await self._api_tokens.revoke_all(user.id)
        return user


class _Use(NamedTuple):
    at: float
    user_id: UUID


class ApiTokenUses:
    """When API tokens were last used, written once a minute and process."""

    def __init__(self) -> None:
        self._noted: dict[str, _Use] = {}

    async def note(self, database: Database, actor: Actor, token_hash: str) -> None:
        """Raise InvalidTokenError when the token does not stand."""
        now, last = monotonic(), self._noted.get(token_hash)
        if last is not None and now - last.at < _USES_APART:
            return
        async with database.transaction(actor) as session:
            if not await ApiTokenRepository(session).note_use(actor):
                raise InvalidTokenError
        if len(self._noted) >= _USES_KEPT:
            self._noted.clear()
        self._noted[token_hash] = _Use(now, actor.user_id)

    def find_owner(self, token_hash: str) -> UUID | None:
        """Return whose token it is, if it stood when it was last used, lately."""
        last = self._noted.get(token_hash)
        return last.user_id if last is not None and monotonic() - last.at < _OWNER_KNOWN else None


class SessionService:
    """Log in, stay logged in, log out."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._session = session
        self._users = UserRepository(session)
        self._sessions = SessionRepository(session)
        self._outbox = Outbox(session)
        self._keys = keys

    async def authenticate(self, login: str, password: str) -> User:
        """Return whose password it is; what else is needed to log in stands above."""
        user = await self._users.find_by_login(login)
        password_hash = user.password_hash if user and user.is_active else None
        is_right = await passwords.verify_in_thread(password, password_hash)
        if not is_right or user is None or password_hash is None:
            raise InvalidCredentialsError
        if passwords.needs_rehash(password_hash):
            user.password_hash = await passwords.hash_in_thread(password)
        return user

    async def open(self, user: User, user_agent: str | None) -> TokenPair:
        """For whoever has proved to be the user, in every way that is asked for."""
        user_session = UserSession(id=uuid7(), user_id=user.id, user_agent=user_agent, sequence=0)
        await self._sessions.add(user_session)
        return self._pair(user.id, user_session.id, 0)

    async def refresh(self, token: str) -> TokenPair:
        """Give the successor of a refresh token.

        A client that lost the answer may ask again within the grace and gets the same successor; an
        older token in anybody's hands ends the session.
        """
        read = tokens.read_refresh_token(self._keys, token)
        if read is None:
            raise InvalidRefreshTokenError
        session_id, sequence = read
        user_id = await self._sessions.rotate(session_id, sequence)
        if user_id is None:
            user_id = await self._user_of_used_token(session_id, sequence)
        return self._pair(user_id, session_id, sequence + 1)

    async def act_as(self, login: str, command: str) -> Actor:
        """Let a command of the operator act as a user, until `log_out`."""
        user = await self._users.find_by_login(login)
        if user is None or not user.is_active:
            raise UserNotFoundError(login)
        user_session = UserSession(id=uuid7(), user_id=user.id, user_agent=command, sequence=0)
        await self._sessions.add(user_session)
        return Actor(user.id, user_session.id)

    @asynccontextmanager
    async def lending(self, actor: Actor) -> AsyncIterator[None]:
        """Let what a user has set up act for them: with a session that ends before the transaction does.

        So nobody else ever sees it; whether the user's account stands, and what they may, is asked as ever.
        """
        await self._sessions.add(UserSession(id=actor.session_id, user_id=actor.user_id, sequence=0))
        yield
        await self._sessions.remove(actor.session_id)

    async def mark_authenticated(self, actor: Actor) -> None:
        """For whoever has let the actor prove once more who they are."""
        await self._sessions.mark_authenticated(actor)

    async def log_out(self, actor: Actor) -> None:
        await self._sessions.end(actor)

    async def page(self, actor: Actor, query: SessionQuery) -> Page[AnyRow]:
        return await self._sessions.page(actor, query)

    async def end_one(self, actor: Actor, session_id: UUID) -> None:
        await self._sessions.end_one(actor, session_id)

    async def end_others(self, actor: Actor) -> None:
        await ensure_signed_in(self._session, actor)
        await self._sessions.end_all(actor.user_id, but=actor.session_id)

    async def end_all(self, user_id: UUID, but: UUID | None) -> None:
        """For whoever changes what the sessions stand on."""
        await self._sessions.end_all(user_id, but)

    async def _user_of_used_token(self, session_id: UUID, sequence: int) -> UUID:
        live = await self._sessions.find_live(session_id)
        if live is None:
            raise InvalidRefreshTokenError
        if live.sequence == sequence + 1 and live.is_fresh:
            user_id: UUID = live.user_id
            return user_id
        await self._sessions.revoke(session_id)
        self._outbox.record(None, SessionReused(workspace_id=None, subject_id=live.user_id))
        raise RefreshTokenReusedError

    def _pair(self, user_id: UUID, session_id: UUID, sequence: int) -> TokenPair:
        return TokenPair(
            access_token=tokens.issue_access_token(self._keys, Actor(user_id, session_id)),
            refresh_token=tokens.issue_refresh_token(self._keys, session_id, sequence),
            token_type="bearer",  # noqa: S106 (the name of a kind, not a secret)
            expires_in=int(tokens.ACCESS_TOKEN_LIFETIME.total_seconds()),
        )
