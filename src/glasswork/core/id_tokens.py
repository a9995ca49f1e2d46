"""ID tokens of providers of identities: believed when every claim and the signature hold, and not before."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jose import jwk, jws
from jose.backends.base import Key

CLOCK_SKEW_SECONDS: Final = 60

_MAX_LENGTH: Final = 16_384
_MAX_SUBJECT: Final = 255
_MIN_RSA_BITS: Final = 2048
_KINDS: Final = {"RS256": ("RSA", None), "ES256": ("EC", "P-256")}
_PUBLIC_PARTS: Final = frozenset({"kty", "n", "e", "crv", "x", "y"})
_SHAPE = re.compile(r"(?P<header>[\w-]+)\.(?P<claims>[\w-]+)\.[\w-]+", re.ASCII)


class IdTokenError(Exception):
    """It proves nothing; `reason` says what was looked at when that was seen."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SigningKey:
    algorithm: str
    """The only one that it is used with, whatever a token says."""
    key: Key


@dataclass(frozen=True, slots=True)
class Expected:
    issuer: str
    client_id: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What a provider says of a person."""

    subject: str
    email: str | None
    email_verified: bool
    name: str | None


def read_keys(document: Any) -> dict[str, SigningKey]:
    """Return what can be used of a JWK set, by key id; raise ValueError when it is none."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no JWK set")  # noqa: TRY004 (it came from outside)
    keys = ((each.get("kid"), _read_key(each)) for each in document["keys"] if isinstance(each, dict))
    return {kid: key for kid, key in keys if isinstance(kid, str) and key is not None}


def key_id_of(token: str) -> str:
    """Return which key the token says it is signed with, or raise IdTokenError."""
    match = _SHAPE.fullmatch(token) if len(token) <= _MAX_LENGTH else None
    if match is None:
        raise IdTokenError("shape")
    kid = _decode(match["header"]).get("kid")
    if not isinstance(kid, str):
        raise IdTokenError("key")
    return kid


def read_id_token(token: str, keys: Mapping[str, SigningKey], expected: Expected) -> Claims:
    """Return what it says, or raise IdTokenError, whatever the bytes are."""
    signed_with = keys.get(key_id_of(token))
    header, claims = (_decode(part) for part in token.split(".")[:2])
    if signed_with is None:
        raise IdTokenError("key")
    if header.get("alg") != signed_with.algorithm or "crit" in header or "b64" in header:
        raise IdTokenError("algorithm")
    try:
        jws.verify(token, signed_with.key, algorithms=[signed_with.algorithm])
    except Exception as error:
        raise IdTokenError("signature") from error
    _check(claims, expected)
    return _claims(claims)


def _check(claims: Mapping[str, Any], expected: Expected) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    now = datetime.now(UTC).timestamp()
    if claims.get("iss") != expected.issuer:
        raise IdTokenError("issuer")
    if expected.client_id not in audiences or not _is_for_us(claims, audiences, expected):
        raise IdTokenError("audience")
    if now > _time(claims, "exp") + CLOCK_SKEW_SECONDS:
        raise IdTokenError("expired")
    if now < _time(claims, "iat") - CLOCK_SKEW_SECONDS:
        raise IdTokenError("issued")
    if claims.get("nonce") != expected.nonce:
        raise IdTokenError("nonce")


def _is_for_us(claims: Mapping[str, Any], audiences: Sequence[Any], expected: Expected) -> bool:
    """Of several audiences one is the party that asked, and it must be named."""
    party = claims.get("azp")
    return party == expected.client_id or (party is None and len(audiences) == 1)


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise IdTokenError(name)
    return value


def _claims(claims: Mapping[str, Any]) -> Claims:
    subject, email, name = claims.get("sub"), claims.get("email"), claims.get("name")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT or not subject.isprintable():
        raise IdTokenError("subject")
    return Claims(
        subject=subject,
        email=email if isinstance(email, str) else None,
        email_verified=claims.get("email_verified") is True,
        name=name if isinstance(name, str) else None,
    )


def _read_key(found: Mapping[str, Any]) -> SigningKey | None:
    """None for keys of other kinds and uses: another algorithm, to encrypt with, or shared."""
    kind = found.get("kty"), found.get("crv")
    algorithm = next((name for name, its_kind in _KINDS.items() if kind == its_kind), None)
    if algorithm is None or found.get("use", "sig") != "sig" or found.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwk.construct({name: found[name] for name in found.keys() & _PUBLIC_PARTS}, algorithm)
        bits = load_pem_public_key(key.to_pem()).key_size  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001 (of a key that cannot be read python-jose raises anything)
        return None
    return None if algorithm == "RS256" and bits < _MIN_RSA_BITS else SigningKey(algorithm, key)


def _decode(part: str) -> dict[str, Any]:
    try:
        decoded = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError) as error:
        raise IdTokenError("shape") from error
    if not isinstance(decoded, dict):
        raise IdTokenError("shape")
    return decoded
