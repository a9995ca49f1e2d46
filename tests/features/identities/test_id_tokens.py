"""What an ID token must be, seen from the callback."""

import hashlib
import hmac
from base64 import b64decode
from time import time
from typing import Any

import pytest
from httpx2 import AsyncClient
from jose.utils import base64url_encode

from glasswork.core.id_tokens import read_keys

from .dance import log_in_with, reason
from .provider import CLIENT_ID, EC, RSA, STRANGER, Provider, SigningKey, unsigned

pytestmark = pytest.mark.anyio

SHORT = SigningKey.make("RS256", 1024)
LATER, EARLIER = int(time()) + 3600, int(time()) - 3600

BENT: dict[str, tuple[dict[str, Any], str]] = {
    "another nonce": ({"nonce": "another"}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "another issuer": ({"iss": "http://127.0.0.1:1"}, "issuer"),
    "no issuer": ({"iss": None}, "issuer"),
    "another audience": ({"aud": "another"}, "audience"),
    "no audience": ({"aud": None}, "audience"),
    "other audiences": ({"aud": ["another"]}, "audience"),
    "an audience within": ({"aud": f"{CLIENT_ID}s"}, "audience"),
    "two audiences, no party": ({"aud": [CLIENT_ID, "another"]}, "audience"),
    "two audiences, another party": ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "audience"),
    "another party": ({"azp": "another"}, "audience"),
    "a strange party": ({"azp": [CLIENT_ID]}, "audience"),
    "expired": ({"exp": EARLIER}, "expired"),
    "no end": ({"exp": None}, "exp"),
    "an end in words": ({"exp": "never"}, "exp"),
    "a true end": ({"exp": True}, "exp"),
    "an infinite end": ({"exp": float("inf")}, "exp"),
    "of the future": ({"iat": LATER, "exp": LATER + 60}, "issued"),
    "no beginning": ({"iat": None}, "iat"),
    "nobody": ({"sub": None}, "subject"),
    "empty": ({"sub": ""}, "subject"),
    "a number": ({"sub": 7}, "subject"),
    "endless": ({"sub": "x" * 256}, "subject"),
    "unprintable": ({"sub": "a\0b"}, "subject"),
}
FINE: dict[str, dict[str, Any]] = {
    "a list": {"aud": [CLIENT_ID]},
    "the party that asked": {"aud": ["another", CLIENT_ID], "azp": CLIENT_ID},
    "a clock that is late": {"exp": lambda now: now - 30},
    "a clock that is early": {"iat": lambda now: now + 30},
    "a long subject": {"sub": "x" * 255},
    "claims of its own": {"groups": [{"a": 1}], "nbf": 0},
}


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
async def test_is_taken(browser: AsyncClient, provider: Provider, key: SigningKey) -> None:
    provider.signs_with = key
    assert (await log_in_with(browser, provider)).status_code == 200


@pytest.mark.parametrize("how", BENT)
async def test_a_wrong_claim(browser: AsyncClient, provider: Provider, how: str) -> None:
    provider.bent, expected = BENT[how]
    assert reason(await log_in_with(browser, provider)) == f"id_token_{expected}"


@pytest.mark.parametrize("how", FINE)
async def test_an_unusual_but_right_claim(browser: AsyncClient, provider: Provider, how: str) -> None:
    provider.bent = FINE[how]
    assert (await log_in_with(browser, provider)).status_code == 200


def with_kid(key: SigningKey, kid: str) -> SigningKey:
    return SigningKey(kid, key.algorithm, key.pem)


def hs256(secret: bytes, kid: str) -> Any:
    """As a forger does who takes the public key for a shared secret."""

    def forge(claims: dict[str, Any]) -> str:
        signed = unsigned({"alg": "HS256", "kid": kid}, claims).rstrip(".")
        mac = hmac.digest(secret, signed.encode(), hashlib.sha256)
        return f"{signed}.{base64url_encode(mac).decode()}"

    return forge


PUBLIC_PEM: bytes = RSA.key.public_key().to_pem()
PUBLIC_DER = b64decode(b"".join(PUBLIC_PEM.splitlines()[1:-1]))


def resigned(**header: Any) -> Any:
    """Signed by the right key, with another header."""

    def forge(claims: dict[str, Any]) -> str:
        key = RSA.key
        body = unsigned({"alg": "RS256", "kid": RSA.kid} | header, claims).rstrip(".")
        return f"{body}.{base64url_encode(key.sign(body.encode())).decode()}"

    return forge


FORGED: dict[str, tuple[Any, str]] = {
    "another key by that name": (with_kid(STRANGER, RSA.kid).sign, "signature"),
    "another kind of key by that name": (with_kid(STRANGER, EC.kid).sign, "algorithm"),
    "a key that nobody knows": (STRANGER.sign, "key"),
    "no key named": (resigned(kid=None), "key"),
    "a key named by a list": (resigned(kid=["a"]), "key"),
    "not signed": (lambda claims: unsigned({"alg": "none", "kid": RSA.kid}, claims), "shape"),
    "not signed, and says so": (
        lambda claims: unsigned({"alg": "none", "kid": RSA.kid}, claims, b"x"),
        "algorithm",
    ),
    "None": (lambda claims: unsigned({"alg": "None", "kid": RSA.kid}, claims, b"x"), "algorithm"),
    "HS256 with the PEM": (hs256(PUBLIC_PEM, RSA.kid), "algorithm"),
    "HS256 with the DER": (hs256(PUBLIC_DER, RSA.kid), "algorithm"),
    "critical": (resigned(crit=["x"], x=1), "algorithm"),
    "another hash": (resigned(alg="RS512"), "algorithm"),
    "no algorithm": (resigned(alg=None), "algorithm"),
    "two parts": (lambda _: "a.b", "shape"),
    "no JSON": (lambda _: "YQ.YQ.YQ", "shape"),
    "a list": (lambda _: "W10.W10.W10", "shape"),
    "too deep": (lambda _: f"{base64url_encode(b'[' * 9000).decode()}.W10.W10", "shape"),
    "too long": (lambda _: "a" * 20_000 + ".b.c", "shape"),
    "not of this alphabet": (lambda _: "é.ü.ö", "shape"),
}


@pytest.mark.parametrize("how", FORGED)
async def test_a_forged_one(browser: AsyncClient, provider: Provider, how: str) -> None:
    provider.forge, expected = FORGED[how]
    assert reason(await log_in_with(browser, provider)) == f"id_token_{expected}"


async def test_signed_again_as_it_should_be(browser: AsyncClient, provider: Provider) -> None:
    """The twin of those above: their tools make tokens that hold, too."""
    provider.forge = resigned(typ="JWT")
    assert (await log_in_with(browser, provider)).status_code == 200


async def test_a_key_that_is_too_short(browser: AsyncClient, provider: Provider) -> None:
    provider.keys, provider.signs_with = [SHORT, RSA], SHORT
    assert reason(await log_in_with(browser, provider)) == "id_token_key"
    provider.signs_with = RSA
    assert (await log_in_with(browser, provider)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": ["RSA"]},
        {"kid": 7},
        {"n": "!"},
        {"n": None},
    ],
    ids=str,
)
def test_keys_of_other_kinds_are_passed_over(changes: dict[str, Any]) -> None:
    assert read_keys({"keys": [RSA.public | changes, 7, EC.public]}).keys() == {EC.kid}
    assert read_keys({"keys": [RSA.public, EC.public]}).keys() == {RSA.kid, EC.kid}


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": None}], ids=str)
def test_what_is_no_set_of_keys(document: Any) -> None:
    with pytest.raises(ValueError, match="no JWK set"):
        read_keys(document)
