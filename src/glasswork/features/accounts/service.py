from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core import passwords, tokens
from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.db import AnyRow
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.tokens import Keys

from .access import require_admin
from .errors import (
    InvalidCredentialsError,
    InvalidRefreshTokenError,
    RefreshTokenReusedError,
    UnfitPasswordError,
    UserNotFoundError,
)
from .events import UserCreated, UserUpdated
from .models import VERIFICATION_LIFETIME, Purpose, SystemRole, User, UserSession
from .repository import OneTimeTokenRepository, SessionRepository, UserRepository
from .schemas import Registration, TokenPair, UserAdministration, UserQuery, UserUpdate


class AccountService:
    """Accounts as their owners and the installation's admins see them."""

    def __init__(self, session: AsyncSession, password_min_length: int) -> None:
        self._session = session
        self._users = UserRepository(session)
        self._outbox = Outbox(session)
        self._password_min_length = password_min_length

    async def register(self, new: Registration, role: SystemRole = SystemRole.USER) -> User:
        password = new.password.get_secret_value()
        self._refuse_unfit(password, new)
        user = User(email=new.email, username=new.username, name=new.name, role=role)
        user.password_hash = await passwords.hash_in_thread(password)
        await self._users.add(user)
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
        return user

    def _refuse_unfit(self, password: str, new: Registration) -> None:
        if len(password) < self._password_min_length:
            raise UnfitPasswordError(f"must have at least {self._password_min_length} characters")
        if passwords.is_common(password, new.username, new.email.partition("@")[0]):
            raise UnfitPasswordError("is too easy to guess")


class VerificationService:
    """Prove that an account's e-mail address is its owner's."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._users = UserRepository(session)
        self._tokens = OneTimeTokenRepository(session)
        self._outbox = Outbox(session)
        self._keys = keys

    async def issue(self, user_id: UUID, event_id: UUID) -> tuple[AnyRow, str]:
        """Return the user, and the one token that there is for the event."""
        user = await self._users.get(user_id)
        token = tokens.one_time_token(self._keys, event_id)
        await self._tokens.add(tokens.digest(token), user_id, Purpose.VERIFY_EMAIL, VERIFICATION_LIFETIME)
        return user, token

    async def verify(self, token: str) -> None:
        user, now = await self._tokens.use(tokens.digest(token), Purpose.VERIFY_EMAIL)
        with self._outbox.updating(None, UserUpdated, user):
            user.email_verified_at = now
            await self._users.flush()


class SessionService:
    """Log in, stay logged in, log out."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._users = UserRepository(session)
        self._sessions = SessionRepository(session)
        self._keys = keys

    async def log_in(self, login: str, password: str, user_agent: str | None) -> TokenPair:
        user = await self._users.find_by_login(login)
        password_hash = user.password_hash if user and user.is_active else None
        if not await passwords.verify_in_thread(password, password_hash) or user is None:
            raise InvalidCredentialsError
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

    async def log_out(self, actor: Actor) -> None:
        await self._sessions.end(actor)

    async def _user_of_used_token(self, session_id: UUID, sequence: int) -> UUID:
        live = await self._sessions.find_live(session_id)
        if live is None:
            raise InvalidRefreshTokenError
        if live.sequence == sequence + 1 and live.is_fresh:
            user_id: UUID = live.user_id
            return user_id
        await self._sessions.revoke(session_id)
        raise RefreshTokenReusedError

    def _pair(self, user_id: UUID, session_id: UUID, sequence: int) -> TokenPair:
        return TokenPair(
            access_token=tokens.issue_access_token(self._keys, Actor(user_id, session_id)),
            refresh_token=tokens.issue_refresh_token(self._keys, session_id, sequence),
            token_type="bearer",  # noqa: S106 (the name of a kind, not a secret)
            expires_in=int(tokens.ACCESS_TOKEN_LIFETIME.total_seconds()),
        )
