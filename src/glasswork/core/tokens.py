"""The one module that knows JWT and the keys."""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from jose import jwt

from glasswork.core.actor import Actor, Scope, TokenUse
from glasswork.core.clock import now
from glasswork.core.errors import AuthenticationError
from glasswork.core.settings import Settings

ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)
CLOCK_SKEW_SECONDS = 30
KEPT_TOKENS = 10_000
"""Access tokens whose signatures and claims need no other look."""

_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_ISSUER = "glasswork"
_AUDIENCE = "glasswork-api"
_MAX_LENGTH = 2048
_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_API_PREFIX = "gwk_"
_API_SECRET_BYTES = 28  # 60 bytes with both ids: Base64 without padding
_API_SHAPE = re.compile(_API_PREFIX + r"[\w-]{80}", re.ASCII)
_INVITATION_PREFIX = "gwi_"
_ONE_TIME_PREFIX = "gwo_"
_REFRESH_PREFIX = "gwr_"
_SETUP_PREFIX = "gws_"
_CALENDAR_PREFIX = "gwf_"
_SECRET_BYTES = 32
_REFRESH_SHAPE = re.compile(
    _REFRESH_PREFIX + r"(?P<body>(?P<session>[0-9a-f]{32})\.(?P<sequence>\d{1,9}))\.(?P<mac>[0-9a-f]{64})",
    re.ASCII,
)
_CLAIMS = frozenset({"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"})
_OPTIONS = {
    **{f"require_{claim}": True for claim in ("iss", "aud", "sub", "jti")},
    # Its times are compared here, by the clock of all processes; python-jose knows this machine's alone.
    **{f"verify_{claim}": False for claim in ("iat", "nbf", "exp")},
}


class InvalidTokenError(AuthenticationError):
    code = "INVALID_TOKEN"

    def __init__(self) -> None:
        super().__init__("The access token is missing, expired or not valid.")


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key is derived from JWT_SECRET for one purpose, so that none stands in for another."""

    access: bytes
    refresh: bytes
    one_time: bytes
    peers: bytes
    guessing: bytes
    _sealing: bytes
    accepted: tuple["Keys", ...] = ()
    """Those of other secrets, whose tokens are taken too: of the one before, and of the one to come."""

    @classmethod
    def derive(cls, secret: str, *accepted: str) -> "Keys":
        def key(purpose: str) -> bytes:
            return hmac.digest(secret.encode(), f"glasswork/{purpose}".encode(), hashlib.sha256)

        return cls(
            access=key("access"),
            refresh=key("refresh"),
            one_time=key("one-time"),
            peers=key("peers"),
            guessing=key("guessing"),
            _sealing=key("sealing"),
            accepted=tuple(cls.derive(other) for other in accepted),
        )

    @classmethod
    def of(cls, settings: Settings) -> "Keys":
        accepted = (secret.get_secret_value() for secret in settings.jwt_accepted_secrets)
        return cls.derive(settings.jwt_secret.get_secret_value(), *accepted)

    @property
    def all(self) -> tuple["Keys", ...]:
        return (self, *self.accepted)

    def sealing(self, purpose: str) -> bytes:
        """Return the key (32 bytes) of `sealing`, one for each purpose."""
        return hmac.digest(self._sealing, purpose.encode(), hashlib.sha256)

    @property
    def key_id(self) -> str:
        return hashlib.sha256(self.access).hexdigest()[:8]


def issue_access_token(keys: Keys, actor: Actor) -> str:
    issued_at = now()
    claims = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": str(actor.user_id),
        "sid": str(actor.session_id),
        "jti": str(uuid4()),
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + ACCESS_TOKEN_LIFETIME,
    }
    return _signed(keys, claims)


def read_access_token(keys: Keys, token: str) -> Actor:
    """Return whom the token speaks for, or raise InvalidTokenError, whatever the bytes are.

    What has been verified stays so, but for its times. Whether its session still stands each statement asks.
    """
    verified = _verify(keys, token)
    if not verified.from_ <= now().timestamp() < verified.until:
        raise InvalidTokenError
    return verified.actor


class _Verified(NamedTuple):
    actor: Actor
    from_: float
    """Unix seconds, as `until`."""
    until: float


@lru_cache(KEPT_TOKENS)
def _verify(keys: Keys, token: str) -> _Verified:
    """Let nothing be kept of what is refused, which anybody can send.

    The shape and the header are compared first: python-jose raises RecursionError on crafted headers,
    accepts any `typ` and `crit`, and takes a token without `aud` or `exp` unless each claim is required.
    """
    key = _keys_by_header(keys).get(token.partition(".")[0])
    if len(token) > _MAX_LENGTH or not _SHAPE.fullmatch(token) or key is None:
        raise InvalidTokenError
    try:
        claims = jwt.decode(
            token, key, algorithms=[_ALGORITHM], audience=_AUDIENCE, issuer=_ISSUER, options=_OPTIONS
        )
        return _verified(claims)
    except Exception as error:
        raise InvalidTokenError from error


def issue_refresh_token(keys: Keys, session_id: UUID, sequence: int) -> str:
    """The same arguments give the same token: a successor can be served again without being stored."""
    body = f"{session_id.hex}.{sequence}"
    return f"{_REFRESH_PREFIX}{body}.{_mac(keys, body)}"


def read_refresh_token(keys: Keys, token: str) -> tuple[UUID, int] | None:
    """Return the session and the place in its sequence, or None when we did not issue the token."""
    match = _REFRESH_SHAPE.fullmatch(token)
    if match is None or not any(
        hmac.compare_digest(match["mac"], _mac(one, match["body"])) for one in keys.all
    ):
        return None
    return UUID(hex=match["session"]), int(match["sequence"])


def _signed(keys: Keys, claims: dict[str, Any]) -> str:
    headers = {"typ": _TYPE, "kid": keys.key_id}
    return jwt.encode(claims, keys.access, algorithm=_ALGORITHM, headers=headers)


@cache
def _keys_by_header(keys: Keys) -> dict[str, bytes]:
    """By the first segment of every token that is issued, byte for byte: it holds the `kid`."""
    return {_signed(one, {}).partition(".")[0]: one.access for one in keys.all}


def one_time_token(keys: Keys, event_id: UUID) -> str:
    """The same event gives the same token, so that a mail that is sent again says the same."""
    return _ONE_TIME_PREFIX + hmac.new(keys.one_time, event_id.bytes, hashlib.sha256).hexdigest()


def invitation_token(keys: Keys, invitation_id: UUID) -> str:
    """The same invitation gives the same token: its maker is shown what the invited one is sent."""
    mac = hmac.new(keys.one_time, b"invitation" + invitation_id.bytes, hashlib.sha256)
    return _INVITATION_PREFIX + mac.hexdigest()


def new_setup_token() -> str:
    return _SETUP_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def new_calendar_token() -> str:
    return _CALENDAR_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def digest(token: str) -> str:
    """What is kept of a token that is shown once; also of what is none, and not even text."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def new_api_token(user_id: UUID, token_id: UUID) -> str:
    """It names its owner, so that no statement has to look the owner up first."""
    return (
        _API_PREFIX
        + urlsafe_b64encode(user_id.bytes + token_id.bytes + secrets.token_bytes(_API_SECRET_BYTES)).decode()
    )


def is_api_token(token: str) -> bool:
    return token.startswith(_API_PREFIX)


def read_api_token(token: str, scope: Scope) -> Actor:
    """Return whom it names; whether it is genuine is asked by each statement, with its hash."""
    if not _API_SHAPE.fullmatch(token):
        raise InvalidTokenError
    ids = urlsafe_b64decode(token.removeprefix(_API_PREFIX))
    return Actor(UUID(bytes=ids[:16]), UUID(bytes=ids[16:32]), TokenUse(digest(token), scope))


def _mac(keys: Keys, body: str) -> str:
    return hmac.new(keys.refresh, body.encode(), hashlib.sha256).hexdigest()


def _verified(claims: dict[str, Any]) -> _Verified:
    issued, expires = claims["iat"], claims["exp"]
    latest = now().timestamp() + CLOCK_SKEW_SECONDS
    lifetime = ACCESS_TOKEN_LIFETIME.total_seconds()
    times = (issued, expires, claims["nbf"])
    if claims.keys() != _CLAIMS or not all(type(time) is int for time in times):
        raise InvalidTokenError
    if claims["aud"] != _AUDIENCE:  # python-jose also takes a list that holds it
        raise InvalidTokenError
    if issued > latest or expires - issued > lifetime:
        raise InvalidTokenError
    until = expires + CLOCK_SKEW_SECONDS
    actor = Actor(UUID(claims["sub"]), UUID(claims["sid"]), expires_at=until)
    # python-jose counts whole seconds: in the last one the token is still good.
    return _Verified(actor, max(issued, claims["nbf"]) - CLOCK_SKEW_SECONDS, until + 1)
