from base64 import b32encode
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core import totp
from glasswork.core.actor import Actor
from glasswork.core.outbox import Outbox
from glasswork.core.sealing import BrokenSealError, seal, unseal
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import Keys, digest
from glasswork.features.accounts.access import require_admin, require_recent_login
from glasswork.features.accounts.models import User
from glasswork.features.accounts.schemas import TokenPair
from glasswork.features.accounts.service import SessionService, UserLookup
from glasswork.features.credentials.service import require_password

from . import policy
from .errors import (
    InvalidChallengeError,
    InvalidSecondFactorError,
    SecondFactorRequiredError,
    TotpEnabledError,
    TotpNotFoundError,
    WrongCodeError,
)
from .events import RecoveryCodesRenewed, RecoveryCodeUsed, TotpDisabled, TotpEnabled
from .policy import purpose_of
from .repository import TotpRepository
from .schemas import RecoveryCodes, TotpIssued


class TotpService:
    """A second factor: codes of an authenticator app, and recovery codes for who has lost it."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._session = session
        self._users = UserLookup(session)
        self._totp = TotpRepository(session)
        self._outbox = Outbox(session)
        self._keys = keys

    async def show(self, actor: Actor) -> AnyRow:
        return await self._totp.mine(actor)

    async def begin(self, actor: Actor, password: str) -> TotpIssued:
        user = await self._users.lock_me(actor)
        await require_password(user, password)
        secret = totp.new_secret()
        if not await self._totp.begin(user.id, seal(self._keys, purpose_of(user.id), secret).decode()):
            raise TotpEnabledError
        return TotpIssued(secret=b32encode(secret).decode(), uri=totp.uri(secret, user.email))

    async def confirm(self, actor: Actor, code: str) -> RecoveryCodes:
        user = await self._users.lock_me(actor)
        row = await self._totp.find(user.id)
        if row is None:
            raise TotpNotFoundError
        if row.is_on:
            raise TotpEnabledError
        step = self._find_step(user.id, row, policy.plain(code))
        if step is None:
            raise WrongCodeError
        await self._totp.confirm(user.id, step)
        self._outbox.record(actor, TotpEnabled(workspace_id=None, subject_id=user.id))
        return await self._new_recovery_codes(user.id)

    async def renew_recovery_codes(self, actor: Actor) -> RecoveryCodes:
        await require_recent_login(self._session, actor)
        user = await self._users.lock_me(actor)
        if not await self._totp.is_on(user.id):
            raise TotpNotFoundError
        self._outbox.record(actor, RecoveryCodesRenewed(workspace_id=None, subject_id=user.id))
        return await self._new_recovery_codes(user.id)

    async def disable(self, actor: Actor) -> None:
        await require_recent_login(self._session, actor)
        await self._remove(actor, await self._users.lock_me(actor))

    async def take_off(self, actor: Actor, user_id: UUID) -> None:
        """For a user who has lost app and recovery codes."""
        await require_admin(self._session, actor)
        await require_recent_login(self._session, actor)
        await self._remove(actor, await self._users.lock(user_id))

    async def is_on(self, user_id: UUID) -> bool:
        return await self._totp.is_on(user_id)

    async def count_left(self, user_id: UUID) -> int:
        return await self._totp.count_left(user_id)

    async def accepts(self, user_id: UUID, code: str, actor: Actor | None = None) -> bool:
        """Use the code up. An attempt counts only where the caller's refusal keeps changes.

        Raise RateLimitError when too many were wrong.
        """
        row = await self._totp.count_attempt(user_id)
        if row is None:
            return False
        step = self._find_step(user_id, row, policy.plain(code))
        if step is not None:
            return await self._totp.accept(user_id, step)
        if not await self._totp.use_recovery_code(user_id, digest(policy.plain(code))):
            return False
        await self._totp.forget_attempts(user_id)
        self._outbox.record(actor, RecoveryCodeUsed(workspace_id=None, subject_id=user_id))
        return True

    def _find_step(self, user_id: UUID, row: AnyRow, code: str) -> int | None:
        """A secret that no accepted JWT_SECRET opens has no codes; there are recovery codes still."""
        try:
            secret = unseal(self._keys, purpose_of(user_id), row.secret.encode())
        except BrokenSealError:
            return None
        return totp.find_step(secret, code, totp.step_at(row.now))

    async def _remove(self, actor: Actor, user: User) -> None:
        if not await self._totp.remove(user.id):
            raise TotpNotFoundError
        self._outbox.record(actor, TotpDisabled(workspace_id=None, subject_id=user.id))

    async def _new_recovery_codes(self, user_id: UUID) -> RecoveryCodes:
        codes = policy.new_recovery_codes()
        await self._totp.replace_recovery_codes(user_id, (digest(policy.plain(code)) for code in codes))
        return RecoveryCodes(recovery_codes=sorted(codes))


class LoginService:
    """Log in, with a second factor where there is one, and prove it once more."""

    def __init__(self, session: AsyncSession, keys: Keys) -> None:
        self._users = UserLookup(session)
        self._sessions = SessionService(session, keys)
        self._totp = TotpService(session, keys)
        self._keys = keys

    async def log_in(self, login: str, password: str, code: str | None, user_agent: str | None) -> TokenPair:
        user = await self._sessions.authenticate(login, password)
        return await self.open(user, user_agent, code)

    async def open(self, user: User, user_agent: str | None, code: str | None = None) -> TokenPair:
        """For whoever has proved the first factor, in whatever way.

        Raise SecondFactorRequiredError, which holds a challenge, when there is a second one and no code.
        """
        if await self._totp.is_on(user.id):
            if code is None:
                raise SecondFactorRequiredError(
                    policy.new_challenge(self._keys, user), policy.CHALLENGE_LIFETIME
                )
            await self._users.lock(user.id)  # before the factor's row, as everybody does
            if not await self._totp.accepts(user.id, code):
                raise InvalidSecondFactorError
        return await self._sessions.open(user, user_agent)

    async def answer(self, challenge: str, code: str, user_agent: str | None) -> TokenPair:
        user_id, mark = policy.read_challenge(self._keys, challenge)
        # Locked, so that no password is changed between the look at its mark and the session.
        user = await self._users.find_active(user_id, locked=True)
        if user is None or policy.mark_of(user) != mark:
            raise InvalidChallengeError
        if not await self._totp.accepts(user.id, code):
            raise InvalidSecondFactorError
        return await self._sessions.open(user, user_agent)

    async def reauthenticate(self, actor: Actor, password: str, code: str | None) -> None:
        user = await self._users.lock_me(actor)
        await require_password(user, password)
        if await self._totp.is_on(user.id) and not (
            code is not None and await self._totp.accepts(user.id, code, actor)
        ):
            raise WrongCodeError
        await self._sessions.mark_authenticated(actor)
