import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from time import time
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glasswork.core import tokens
from glasswork.core.actor import Actor
from glasswork.core.tokens import (
    InvalidTokenError,
    Keys,
    issue_access_token,
    issue_refresh_token,
    read_access_token,
    read_refresh_token,
)
from tests.conftest import SECRET

KEYS = Keys.derive(SECRET)
ACTOR = Actor(UUID(int=1), UUID(int=2))
HEADER = {"alg": "HS256", "kid": KEYS.key_id, "typ": "at+jwt"}

Claims = dict[str, Any]
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)


def good_claims() -> Claims:
    now = int(time())
    names = {
        "iss": "glasswork",
        "aud": "glasswork-api",
        "sub": str(ACTOR.user_id),
        "sid": str(ACTOR.session_id),
    }
    return names | {"jti": "7", "iat": now, "nbf": now, "exp": now + 900}


def forge(header: Any = HEADER, claims: Any = None, key: bytes = KEYS.access, digest: str = "sha256") -> str:
    """Sign whatever is wanted; text is taken as it is."""
    parts = (header, good_claims() if claims is None else claims)
    texts = (
        part if isinstance(part, str) else json.dumps(part, sort_keys=True, separators=(",", ":"))
        for part in parts
    )
    signed = ".".join(encode(text.encode()) for text in texts)
    return f"{signed}.{encode(hmac.digest(key, signed.encode(), digest))}"


def encode(part: bytes) -> str:
    return urlsafe_b64encode(part).decode().rstrip("=")


def assert_refused(token: str) -> None:
    with pytest.raises(InvalidTokenError):
        read_access_token(KEYS, token)


HEADERS: dict[str, Any] = {
    "alg none": HEADER | {"alg": "none"},
    "alg None": HEADER | {"alg": "None"},
    "alg missing": {"kid": KEYS.key_id, "typ": "at+jwt"},
    "alg null": HEADER | {"alg": None},
    "alg a list": HEADER | {"alg": ["HS256"]},
    "alg in lower case": HEADER | {"alg": "hs256"},
    "RS256": HEADER | {"alg": "RS256"},
    "ES256": HEADER | {"alg": "ES256"},
    "dir": HEADER | {"alg": "dir", "enc": "A256GCM"},
    "typ JWT": HEADER | {"typ": "JWT"},
    "typ missing": {"alg": "HS256", "kid": KEYS.key_id},
    "kid of another key": HEADER | {"kid": Keys.derive("another secret").key_id},
    "kid that is a path": HEADER | {"kid": "../../dev/null"},
    "kid a list": HEADER | {"kid": [KEYS.key_id]},
    "kid missing": {"alg": "HS256", "typ": "at+jwt"},
    "crit": HEADER | {"crit": ["exp"]},
    "b64": HEADER | {"b64": False, "crit": ["b64"]},
    "jku": HEADER | {"jku": "https://example.com/keys"},
    "jwk": HEADER | {"jwk": {"kty": "oct", "k": encode(KEYS.access)}},
    "x5u": HEADER | {"x5u": "https://example.com/cert"},
    "x5c": HEADER | {"x5c": ["MIIB"]},
    "zip": HEADER | {"zip": "DEF"},
    "cty": HEADER | {"cty": "JWT"},
    "something unknown": HEADER | {"unknown": 1},
    "a key twice": f'{{"alg":"none","alg":"HS256","kid":"{KEYS.key_id}","typ":"at+jwt"}}',
    "other order": f'{{"typ":"at+jwt","alg":"HS256","kid":"{KEYS.key_id}"}}',
    "deep": "[" * 900 + "]" * 900,
    "deep and unclosed": '{"a":' * 500,
    "a list": [],
    "null": None,
    "a string": '"HS256"',
    "a number": "1e999",
    "no JSON": "{",
    "no UTF-8": "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    "empty": "",
}

CLAIMS: dict[str, Callable[[Claims], object]] = {
    "expired": lambda claims: claims.update(iat=claims["iat"] - 931, exp=claims["iat"] - 31),
    "expires too late": lambda claims: claims.update(exp=claims["iat"] + 901),
    "expires in a million years": lambda claims: claims.update(exp=10**17),
    "expires beyond all numbers": lambda claims: claims.update(exp=10**400),
    "exp true": lambda claims: claims.update(exp=True),
    "exp infinite": lambda claims: claims.update(exp=float("inf")),
    "exp not a number": lambda claims: claims.update(exp=float("nan")),
    "issued in the future": lambda claims: claims.update(iat=claims["iat"] + 60, exp=claims["exp"] + 60),
    "not yet valid": lambda claims: claims.update(nbf=claims["nbf"] + 60),
    "another audience": lambda claims: claims.update(aud="glasswork"),
    "audiences": lambda claims: claims.update(aud=["glasswork-api"]),
    "another issuer": lambda claims: claims.update(iss="glasswork-api"),
    "issuers": lambda claims: claims.update(iss=["glasswork"]),
    "sub no id": lambda claims: claims.update(sub="ada"),
    "sub a number": lambda claims: claims.update(sub=1),
    "sid no id": lambda claims: claims.update(sid="1"),
    "sid a list": lambda claims: claims.update(sid=[claims["sid"]]),
    "one claim more": lambda claims: claims.update(scope="admin"),
    "at_hash": lambda claims: claims.update(at_hash="x"),
}

TEXTS: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "a dot": lambda _: ".",
    "two dots": lambda _: "..",
    "three dots": lambda _: "...",
    "one part": lambda good: good.split(".", maxsplit=1)[0],
    "two parts": lambda good: good.rpartition(".")[0],
    "no signature": lambda good: good.rpartition(".")[0] + ".",
    "four parts": lambda good: good + ".x",
    "five parts": lambda good: good + ".x.x",
    "trailing !!": lambda good: good + "!!",
    "trailing =": lambda good: good + "=",
    "trailing newline": lambda good: good + "\n",
    "leading space": lambda good: " " + good,
    "NUL": lambda good: good + "\0",
    "standard Base64": lambda good: good.replace("-", "+").replace("_", "/") + "+/",
    "not ASCII": lambda good: good[:-1] + "é",
    "Arabic digits": lambda good: good[:-1] + "٣",
    "a lone surrogate": lambda good: good + "\ud800",
    "64 KB": lambda good: good + "A" * 65_536,
    "64 KB of claims": lambda _: forge(claims=good_claims() | {"jti": "7" * 65_536}),
    "another signature": lambda good: good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
    "other claims, same signature": lambda good: ".".join([*forge().split(".")[:2], good.split(".")[2]]),
    "another secret": lambda _: issue_access_token(Keys.derive("another secret"), ACTOR),
    "another key, our kid": lambda _: forge(key=Keys.derive("another secret").access),
    "the secret itself as key": lambda _: forge(key=SECRET.encode()),
    "the refresh key": lambda _: forge(key=KEYS.refresh),
    "an empty key": lambda _: forge(key=b""),
    "HS512": lambda _: forge(HEADER | {"alg": "HS512"}, digest="sha512"),
    "HS384": lambda _: forge(HEADER | {"alg": "HS384"}, digest="sha384"),
    "HS512 under the name of HS256": lambda _: forge(digest="sha512"),
    "a refresh token": lambda _: issue_refresh_token(KEYS, ACTOR.session_id, 0),
    "claims a list": lambda _: forge(claims=[]),
    "claims null": lambda _: forge(claims="null"),
    "claims deep": lambda _: forge(claims="[" * 600 + "]" * 600),
    "claims no JSON": lambda _: forge(claims="{"),
    "claims empty": lambda _: forge(claims=""),
}


class TestAccessToken:
    @pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
    def test_refuses_any_other_header(self, header: Any) -> None:
        assert_refused(forge(header))

    @pytest.mark.parametrize("name", good_claims())
    def test_needs_every_claim(self, name: str) -> None:
        claims = good_claims()
        assert_refused(forge(claims=claims | {name: None}))
        del claims[name]
        assert_refused(forge(claims=claims))

    @pytest.mark.parametrize("kind", [str, float])
    @pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
    def test_times_are_whole_numbers(self, name: str, kind: Callable[[int], object]) -> None:
        claims = good_claims()
        assert_refused(forge(claims=claims | {name: kind(claims[name])}))

    @pytest.mark.parametrize("change", CLAIMS.values(), ids=CLAIMS)
    def test_refuses_any_other_claims(self, change: Callable[[Claims], object]) -> None:
        claims = good_claims()
        change(claims)
        assert_refused(forge(claims=claims))

    @pytest.mark.parametrize("change", TEXTS.values(), ids=TEXTS)
    def test_refuses_any_other_text(self, change: Callable[[str], str]) -> None:
        assert_refused(change(issue_access_token(KEYS, ACTOR)))

    @given(st.text() | st.lists(st.binary().map(encode), max_size=4).map(".".join))
    @settings(deadline=None, max_examples=200)
    def test_refuses_whatever_there_is(self, text: str) -> None:
        assert_refused(text)
        assert_refused(forge().split(".")[0] + "." + text)

    @given(st.sampled_from(sorted(good_claims())), JSON)
    @settings(deadline=None, max_examples=60)
    def test_whatever_stands_in_a_claim_raises_nothing_else(self, name: str, value: Any) -> None:
        with suppress(InvalidTokenError):
            assert read_access_token(KEYS, forge(claims=good_claims() | {name: value})) == ACTOR

    def test_takes_what_was_issued(self) -> None:
        assert read_access_token(KEYS, issue_access_token(KEYS, ACTOR)) == ACTOR

    def test_takes_what_the_forger_makes_when_all_is_right(self) -> None:
        assert read_access_token(KEYS, forge()) == ACTOR

    @pytest.mark.parametrize("seconds", [-925, 25])
    def test_a_clock_may_be_a_little_wrong(self, seconds: int) -> None:
        claims = good_claims()
        for name in ("iat", "nbf", "exp"):
            claims[name] += seconds
        assert read_access_token(KEYS, forge(claims=claims)) == ACTOR

    @pytest.mark.parametrize(
        ("ahead", "lifetime", "is_taken"), [(30, 900, True), (31, 900, False), (0, 901, False)]
    )
    def test_it_is_neither_from_tomorrow_nor_for_long(
        self, monkeypatch: pytest.MonkeyPatch, ahead: int, lifetime: int, is_taken: bool
    ) -> None:
        claims = good_claims()
        monkeypatch.setattr(tokens, "now", lambda: datetime.fromtimestamp(claims["nbf"], UTC))
        token = forge(claims=claims | {"iat": claims["iat"] + ahead, "exp": claims["iat"] + ahead + lifetime})
        if is_taken:
            assert read_access_token(KEYS, token) == ACTOR
        else:
            assert_refused(token)


class TestVerifiedOnce:
    """What was read before is not verified again, but what may have changed since is asked all the same."""

    @pytest.mark.parametrize(("after", "is_taken"), [(-31, False), (-30, True), (930, True), (931, False)])
    def test_its_times_hold(self, monkeypatch: pytest.MonkeyPatch, after: int, is_taken: bool) -> None:
        claims = good_claims()
        token = forge(claims=claims)
        assert read_access_token(KEYS, token) == ACTOR
        monkeypatch.setattr(tokens, "now", lambda: datetime.fromtimestamp(claims["iat"] + after, UTC))
        if is_taken:
            assert read_access_token(KEYS, token) == ACTOR
        else:
            assert_refused(token)

    def test_other_keys_refuse_it(self) -> None:
        token = issue_access_token(KEYS, ACTOR)
        assert read_access_token(KEYS, token) == ACTOR
        with pytest.raises(InvalidTokenError):
            read_access_token(Keys.derive("another secret"), token)

    def test_so_many_are_kept_and_none_that_is_refused(self) -> None:
        kept = tokens._verify  # noqa: SLF001
        kept.cache_clear()
        for number in range(5):
            assert_refused(f"otter{number}")
            assert_refused(forge(key=b"another"))
        assert kept.cache_info() == (0, 10, tokens.KEPT_TOKENS, 0)
        assert tokens.KEPT_TOKENS == 10_000


class TestRefreshToken:
    @given(st.text() | st.binary().map(lambda mac: f"gwr_{ACTOR.session_id.hex}.0.{mac.hex()}"))
    @settings(deadline=None, max_examples=100)
    def test_refuses_whatever_there_is(self, text: str) -> None:
        assert read_refresh_token(KEYS, text) is None

    def test_takes_what_was_issued(self) -> None:
        token = issue_refresh_token(KEYS, ACTOR.session_id, 41)
        assert read_refresh_token(KEYS, token) == (ACTOR.session_id, 41)
        assert read_refresh_token(Keys.derive("another secret"), token) is None
