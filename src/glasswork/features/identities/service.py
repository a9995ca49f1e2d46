import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from pydantic import ValidationError as SchemaError
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.id_tokens import Claims
from glasswork.core.oidc import OidcLoginFailedError, Provider
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.sealing import BrokenSealError, seal, unseal
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import Keys
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.accounts.models import User
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.accounts.schemas import Email, Name, TokenPair
from glasswork.features.accounts.service import AccountService, UserLookup
from glasswork.features.second_factors.service import LoginService

from .errors import (
    AccountDisabledError,
    EmailNotVerifiedError,
    LastWayInError,
    LinkRequiredError,
    OidcProviderNotFoundError,
)
from .events import IdentityCreated, IdentityDeleted
from .models import Identity
from .policy import Admission, usernames_for
from .repository import IdentityRepository
from .schemas import Attempt, IdentityQuery, IdentityRead, ProviderRead, Returned

ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
_PURPOSE: Final = "oidc attempt"
_email: TypeAdapter[str] = TypeAdapter(Email)
_name: TypeAdapter[str] = TypeAdapter(Name)


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and what it keeps until it comes back."""

    url: str
    callback_url: str
    sealed: str


class OidcService:
    """Send a browser to a provider, and learn who it is that comes back."""

    def __init__(self, providers: Mapping[str, Provider], keys: Keys, api_url: str) -> None:
        self._providers = providers
        self._keys = keys
        self._api_url = api_url

    def page(self) -> Page[ProviderRead]:
        return Page([ProviderRead(name=name) for name in sorted(self._providers)], None, None)

    async def depart(self, name: str, actor: Actor | None) -> Departure:
        provider = self._provider(name)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(provider=name, state=state, nonce=nonce, verifier=verifier)
        if actor is not None:
            attempt = attempt.model_copy(update={"user_id": actor.user_id, "session_id": actor.session_id})
        callback_url = self.callback_url(name)
        url = await provider.authorization_url(callback_url, state, nonce, verifier)
        sealed = seal(self._keys, _PURPOSE, attempt.model_dump_json().encode())
        return Departure(url, callback_url, sealed.decode())

    async def come_back(self, name: str, returned: Returned, sealed: str | None) -> tuple[Claims, Attempt]:
        provider = self._provider(name)
        attempt = self._open(name, returned, sealed)
        if returned.error is not None:
            raise OidcLoginFailedError("denied")
        if not returned.code:
            raise OidcLoginFailedError("code")
        callback = self.callback_url(name)
        return await provider.redeem(returned.code, callback, attempt.nonce, attempt.verifier), attempt

    def _open(self, name: str, returned: Returned, sealed: str | None) -> Attempt:
        """Only the browser that was sent has the cookie that goes with the state."""
        if sealed is None:
            raise OidcLoginFailedError("cookie")
        try:
            opened = unseal(self._keys, _PURPOSE, sealed.encode(), ATTEMPT_LIFETIME)
        except BrokenSealError as error:
            raise OidcLoginFailedError("cookie") from error
        attempt = Attempt.model_validate_json(opened)
        state = (returned.state or "").encode()
        if attempt.provider != name or not hmac.compare_digest(state, attempt.state.encode()):
            raise OidcLoginFailedError("state")
        return attempt

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            raise OidcProviderNotFoundError(name)
        return self._providers[name]

    def callback_url(self, name: str) -> str:
        return f"{self._api_url}/auth/oidc/{name}/callback"


class OidcLoginService:
    """Log in with an identity: who is who, and whose account it opens."""

    def __init__(
        self, session: AsyncSession, keys: Keys, oidc: OidcService, rules: PasswordRules, admission: Admission
    ) -> None:
        self._session = session
        self._oidc = oidc
        self._admission = admission
        self._accounts = AccountService(session, rules)
        self._logins = LoginService(session, keys)
        self._users = UserLookup(session)
        self._identities = IdentityRepository(session)
        self._outbox = Outbox(session)

    async def start_link(self, actor: Actor, name: str) -> Departure:
        departure = await self._oidc.depart(name, actor)
        await ensure_signed_in(self._session, actor)
        return departure

    async def finish(
        self, name: str, returned: Returned, sealed: str | None, user_agent: str | None
    ) -> TokenPair | IdentityRead:
        """Log in, or link where that was what began."""
        claims, attempt = await self._oidc.come_back(name, returned, sealed)
        if attempt.user_id is not None and attempt.session_id is not None:
            actor = Actor(attempt.user_id, attempt.session_id)
            await ensure_signed_in(self._session, actor)
            return IdentityRead.model_validate(await self._link(actor, actor.user_id, name, claims))
        user = await self._user_of(name, claims)
        return await self._logins.open(user, user_agent)

    async def _user_of(self, provider: str, claims: Claims) -> User:
        user_id = await self._identities.find_owner(provider, claims.subject)
        if user_id is not None:
            user = await self._users.find_active(user_id)
            if user is None:
                raise AccountDisabledError
            return user
        user = await self._user_with_address(claims)
        await self._link(None, user.id, provider, claims)
        return user

    async def _user_with_address(self, claims: Claims) -> User:
        """Whoever both sides know to have the address; somebody new where nobody has it."""
        email = _fit(_email, claims.email)
        user = await self._users.find_by_login(email) if email is not None else None
        if user is not None:
            if not claims.email_verified or user.email_verified_at is None:
                raise LinkRequiredError
            if not user.is_active:
                raise AccountDisabledError
            return user
        self._admission.refuse_stranger()
        if email is None or not claims.email_verified:
            raise EmailNotVerifiedError
        username = await self._free_username(email)
        return await self._accounts.open_verified(email, username, _fit(_name, claims.name) or username)

    async def _free_username(self, email: str) -> str:
        names = list(usernames_for(email))
        for name in names[:-1]:
            if await self._users.find_by_login(name) is None:
                return name
        return names[-1]

    async def _link(self, actor: Actor | None, user_id: UUID, provider: str, claims: Claims) -> Identity:
        identity = Identity(
            user_id=user_id, provider=provider, subject=claims.subject, email=_fit(_email, claims.email)
        )
        await self._identities.add(identity)
        self._outbox.record(actor, IdentityCreated.of(identity))
        return identity


class IdentityService:
    """The identities of an account, as its owner sees them."""

    def __init__(self, session: AsyncSession) -> None:
        self._users = UserLookup(session)
        self._identities = IdentityRepository(session)
        self._outbox = Outbox(session)

    async def page(self, actor: Actor, query: IdentityQuery) -> Page[AnyRow]:
        return await self._identities.page(actor, query)

    async def delete(self, actor: Actor, identity_id: UUID) -> None:
        user = await self._users.lock_me(actor)  # two at a time could else take the last two ways in
        identity = await self._identities.get(actor, identity_id)
        if user.password_hash is None and await self._identities.count(user.id) == 1:
            raise LastWayInError
        self._outbox.record(actor, IdentityDeleted.of(identity))
        await self._identities.delete(identity)

    async def find_with_owner(self, identity_id: UUID) -> AnyRow | None:
        """For whoever tells the owner: the identity with `owner_name` and `owner_email`."""
        return await self._identities.find_with_owner(identity_id)


def _fit(adapter: TypeAdapter[str], text: str | None) -> str | None:
    try:
        return adapter.validate_python(text)
    except SchemaError:
        return None
