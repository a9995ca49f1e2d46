"""OpenID Connect: logging in with somebody else's identities, by the code flow with PKCE."""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from time import monotonic
from typing import Final, Generic, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

from pydantic import BaseModel

from glasswork.core.errors import AuthenticationError, ServiceUnavailableError
from glasswork.core.id_tokens import (
    Claims,
    Expected,
    IdTokenError,
    SigningKey,
    key_id_of,
    read_id_token,
    read_keys,
)
from glasswork.core.outgoing import Answer, Outgoing, OutgoingCallError
from glasswork.core.settings import DISCOVERY_PATH, OidcClient, Settings

DISCOVERY_SECONDS: Final = 3600.0
KEYS_SECONDS: Final = 3600.0
RENEWALS_APART: Final = 30.0
"""Seconds between two looks for a key that is not known: anybody can name one."""

T = TypeVar("T")


class OidcLoginFailedError(AuthenticationError):
    """`reason` says what did not hold; none of it is of use to whoever forged it."""

    code = "OIDC_LOGIN_FAILED"

    def __init__(self, reason: str) -> None:
        super().__init__("The provider's answer does not prove who you are. Log in again.", reason=reason)


class OidcProviderError(ServiceUnavailableError):
    code = "OIDC_PROVIDER_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("The provider of identities does not answer as it should.", retry_after=5)


class Discovery(BaseModel):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self.authorization_endpoint, self.token_endpoint, self.jwks_uri


class _Kept(Generic[T]):
    """What was fetched, for a time."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], seconds: float, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._clock = clock
        self._found: tuple[T, float] | None = None
        self._renewed: float | None = None

    async def get(self) -> T:
        if self._found is not None and self._clock() - self._found[1] < self._seconds:
            return self._found[0]
        return await self._ask()

    async def renew(self) -> T:
        """Fetch it before its time, unless that was done just now."""
        now = self._clock()
        if self._renewed is not None and now - self._renewed < RENEWALS_APART:
            return await self.get()
        self._renewed = now
        return await self._ask()

    async def _ask(self) -> T:
        found = await self._fetch()
        self._found = found, self._clock()
        return found


class Provider:
    """One provider, as its discovery document describes it."""

    def __init__(
        self, client: OidcClient, outgoing: Outgoing, clock: Callable[[], float] = monotonic
    ) -> None:
        self._client = client
        self._outgoing = outgoing
        self._discovery = _Kept(self._discover, DISCOVERY_SECONDS, clock)
        self._keys = _Kept(self._fetch_keys, KEYS_SECONDS, clock)

    async def authorization_url(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return where the person says yes or no; raise OidcProviderError."""
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": redirect_uri,
            "scope": self._client.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        endpoint = (await _reached(self._discovery.get())).authorization_endpoint
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def redeem(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Claims:
        """Return who came back with the code; raise OidcLoginFailedError or OidcProviderError."""
        discovery = await _reached(self._discovery.get())
        token = await _reached(self._exchange(discovery.token_endpoint, code, redirect_uri, verifier))
        expected = Expected(discovery.issuer, self._client.client_id, nonce)
        try:
            keys = await self._keys_for(key_id_of(token))
            return read_id_token(token, keys, expected)
        except IdTokenError as error:
            raise OidcLoginFailedError(f"id_token_{error.reason}") from error

    async def _keys_for(self, key_id: str) -> Mapping[str, SigningKey]:
        keys = await _reached(self._keys.get())
        return keys if key_id in keys else await _reached(self._keys.renew())

    async def _exchange(self, endpoint: str, code: str, redirect_uri: str, verifier: str) -> str:
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        answer = await self._outgoing.post(endpoint, urlencode(body).encode(), headers)
        if answer.status == HTTPStatus.BAD_REQUEST and _member(answer, "error") == "invalid_grant":
            raise OidcLoginFailedError("code")
        return _member(_good(answer), "id_token")

    @property
    def _authorization(self) -> str:
        secret = self._client.client_secret.get_secret_value()
        pair = f"{quote_plus(self._client.client_id)}:{quote_plus(secret)}"
        return f"Basic {b64encode(pair.encode()).decode()}"

    async def _discover(self) -> Discovery:
        url = self._client.discovery_url
        found = Discovery.model_validate(_good(await self._outgoing.get(url)).json())
        if found.issuer.rstrip("/") + DISCOVERY_PATH != url:
            raise ValueError("the document is of another issuer")
        if not all(each.startswith(f"{urlsplit(url).scheme}://") for each in found.endpoints):
            raise ValueError("an endpoint is less protected than the document")
        return found

    async def _fetch_keys(self) -> Mapping[str, SigningKey]:
        answer = await self._outgoing.get((await self._discovery.get()).jwks_uri)
        return read_keys(_good(answer).json())


def providers_of(settings: Settings, outgoing: Outgoing) -> Mapping[str, Provider]:
    return {name: Provider(client, outgoing) for name, client in settings.oidc_providers.items()}


async def _reached(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except (OutgoingCallError, ValueError) as error:  # the latter: it says what cannot be used
        raise OidcProviderError from error


def _good(answer: Answer) -> Answer:
    if answer.status != HTTPStatus.OK:
        raise ValueError(f"the provider answers {answer.status}")
    return answer


def _member(answer: Answer, name: str) -> str:
    body = answer.json()
    if not isinstance(body, dict) or not isinstance(body.get(name), str):
        raise ValueError(f"the provider's answer has no {name}")  # noqa: TRY004 (likewise, from outside)
    member: str = body[name]
    return member


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
