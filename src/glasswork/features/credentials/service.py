from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core import passwords, tokens
from glasswork.core.actor import Actor
from glasswork.core.outbox import Outbox
from glasswork.core.tokens import Keys
from glasswork.features.accounts.events import UserUpdated
from glasswork.features.accounts.models import User
from glasswork.features.accounts.policy import PasswordRules, refuse_unfit
from glasswork.features.accounts.service import SessionService, UserLookup

from .errors import WrongPasswordError
from .events import AddressChangeRequested, PasswordChanged, PasswordForgot
from .models import Purpose
from .repository import OneTimeTokenRepository


class VerificationService:
    """Prove that an account's e-mail address is its owner's."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._users = UserLookup(session)
        self._tokens = OneTimeTokenRepository(session)
        self._outbox = Outbox(session)
        self._keys = keys

    async def issue(self, user_id: UUID, event_id: UUID) -> tuple[User, str] | None:
        """Return the user, and the one token that there is for the event; None: nothing is to be verified."""
        user = await self._users.find_active(user_id)
        if user is None or user.email_verified_at is not None:
            return None
        token = tokens.one_time_token(self._keys, event_id)
        await self._tokens.add(tokens.digest(token), user_id, Purpose.VERIFY_EMAIL)
        return user, token

    async def verify(self, token: str) -> None:
        user, now, _ = await self._tokens.use(tokens.digest(token), Purpose.VERIFY_EMAIL)
        with self._outbox.updating(None, UserUpdated, user):
            user.email_verified_at = now
            await self._users.flush()


class PasswordService:
    """Change a password, or get back in without it; either ends the sessions of whoever else had it."""

    def __init__(self, session: AsyncSession, keys: Keys, rules: PasswordRules) -> None:
        self._users = UserLookup(session)
        self._sessions = SessionService(session, keys)
        self._tokens = OneTimeTokenRepository(session)
        self._outbox = Outbox(session)
        self._keys = keys
        self._rules = rules

    async def change(self, actor: Actor, password: str, new_password: str) -> None:
        user = await self._users.lock_me(actor)
        await require_password(user, password)
        await self._set(actor, user, new_password)

    async def forget(self, email: str) -> None:
        """Answer alike, in the same time, whether anybody has this address."""
        user = await self._users.find_by_login(email)
        subject_id = user.id if user is not None and user.is_active else uuid7()
        self._outbox.record(None, PasswordForgot(workspace_id=None, subject_id=subject_id))

    async def issue(self, user_id: UUID, event_id: UUID) -> tuple[User, str] | None:
        """Return whom to write to, and the one token that there is for the event."""
        user = await self._users.find_active(user_id)
        if user is None:
            return None
        token = tokens.one_time_token(self._keys, event_id)
        await self._tokens.add(tokens.digest(token), user_id, Purpose.RESET_PASSWORD)
        return user, token

    async def reset(self, token: str, new_password: str) -> None:
        user, _, _ = await self._tokens.use(tokens.digest(token), Purpose.RESET_PASSWORD)
        await self._set(None, user, new_password)

    async def _set(self, actor: Actor | None, user: User, new_password: str) -> None:
        refuse_unfit(new_password, self._rules, "new_password", user.username, user.email.partition("@")[0])
        user.password_hash = await passwords.hash_in_thread(new_password)
        await self._users.flush()
        await self._sessions.end_all(user.id, but=actor.session_id if actor else None)
        await self._tokens.void(user.id, Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL)
        self._outbox.record(actor, PasswordChanged(workspace_id=None, subject_id=user.id))


class AddressService:
    """Move an account to another e-mail address, once that has been confirmed there."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._users = UserLookup(session)
        self._tokens = OneTimeTokenRepository(session)
        self._outbox = Outbox(session)
        self._keys = keys

    async def request(self, actor: Actor, email: str, password: str) -> None:
        """Say nothing of whether somebody else has the address; to confirm it will tell."""
        user = await self._users.lock_me(actor)
        await require_password(user, password)
        after = {"email": email}
        self._outbox.record(actor, AddressChangeRequested(workspace_id=None, subject_id=user.id, after=after))

    async def issue(self, user_id: UUID, event_id: UUID) -> tuple[User, str, str] | None:
        """Return whose it is, the new address, and the one token that there is for the event."""
        user = await self._users.find_active(user_id)
        if user is None:
            return None
        address: str = (await self._tokens.request(event_id))["email"]
        token = tokens.one_time_token(self._keys, event_id)
        await self._tokens.add(tokens.digest(token), user_id, Purpose.CHANGE_EMAIL, address)
        return user, address, token

    async def confirm(self, token: str) -> None:
        user, now, address = await self._tokens.use(tokens.digest(token), Purpose.CHANGE_EMAIL)
        assert address is not None  # noqa: S101 (each of this purpose has one)
        with self._outbox.updating(None, UserUpdated, user):
            user.email, user.email_verified_at = address, now
            await self._users.flush()
        await self._tokens.void(user.id, Purpose.RESET_PASSWORD, Purpose.CHANGE_EMAIL)


async def require_password(user: User, password: str) -> None:
    if not await passwords.verify_in_thread(password, user.password_hash):
        raise WrongPasswordError
