"""A small provider of identities, on a real socket, that really signs; what it says can be bent."""

import asyncio
import hashlib
import json
import secrets
import socket
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import FastAPI
from jose import jwk, jwt
from jose.backends.base import Key
from jose.utils import base64url_encode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from glasswork.core.oidc import providers_of
from glasswork.core.outgoing import Limits, Outgoing
from glasswork.core.settings import DISCOVERY_PATH

SHORT = Limits(connect=1, read=1, wait=1, total=2)

CLIENT_ID = "glasswork"
CLIENT_SECRET = "a secret: with signs & spaces %"
EXPECTED = b64encode(b"glasswork:a+secret%3A+with+signs+%26+spaces+%25").decode()


@dataclass(frozen=True)
class SigningKey:
    kid: str
    algorithm: str
    pem: str

    @classmethod
    def make(cls, algorithm: str, bits: int = 2048) -> "SigningKey":
        private = (
            rsa.generate_private_key(65537, bits)
            if algorithm == "RS256"
            else ec.generate_private_key(ec.SECP256R1())
        )
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(secrets.token_hex(4), algorithm, pem.decode())

    @cached_property
    def key(self) -> Key:
        """Made once: each time its numbers are checked, which takes longer than to sign."""
        return jwk.construct(self.pem, self.algorithm)

    @cached_property
    def public(self) -> dict[str, Any]:
        values = {name: _text(value) for name, value in self.key.public_key().to_dict().items()}
        return values | {"kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(self, claims: Mapping[str, Any]) -> str:
        signed: str = jwt.encode(dict(claims), self.key, self.algorithm, {"kid": self.kid})
        return signed


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


RSA, EC = SigningKey.make("RS256"), SigningKey.make("ES256")
STRANGER = SigningKey.make("RS256")


@dataclass
class Granted:
    challenge: str
    redirect_uri: str
    nonce: str


@dataclass
class Provider:
    port: int = 0
    keys: list[SigningKey] = field(default_factory=lambda: [RSA, EC])
    signs_with: SigningKey = RSA
    person: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "ada-1815",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada Lovelace",
        }
    )
    bent: dict[str, Any] = field(default_factory=dict)
    """Claims that are not as they should be; None: left out; a function: of the time."""
    forge: Any = None
    """Makes the token of the claims, in the place of a signature."""
    document: dict[str, Any] = field(default_factory=dict)
    """What its discovery document says otherwise."""
    asked: list[str] = field(default_factory=list)
    codes: dict[str, Granted] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    token_status: int = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "discovery_url": self.url + DISCOVERY_PATH,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }

    def consent(self, authorization_url: str) -> dict[str, str]:
        """Say yes as the person would, in the browser; return the callback's query."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = Granted(asked["code_challenge"], asked["redirect_uri"], asked["nonce"])
        return {"code": code, "state": asked["state"], "session_state": "whatever a provider adds"}

    async def start(self) -> None:
        """On the port that it had before, if it had one."""
        routes = [
            Route(DISCOVERY_PATH, self._discover),
            Route("/token", self._exchange, methods=["POST"]),
            Route("/keys", self._show_keys),
        ]
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        config = uvicorn.Config(Starlette(routes=routes), lifespan="off", log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]
        self._serving = asyncio.create_task(self._server.serve([self._listener]))
        while not self._server.started:
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """At once: uvicorn would look only every 0.1 s whether it shall."""
        self._serving.cancel()
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            connection.shutdown()
        await asyncio.gather(self._serving, return_exceptions=True)
        self._listener.close()

    async def _discover(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return JSONResponse(found | self.document)

    async def _show_keys(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse({"keys": [key.public for key in self.keys]})

    async def _exchange(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        scheme, _, pair = request.headers["authorization"].partition(" ")
        if (scheme, pair) != ("Basic", EXPECTED):
            return JSONResponse({"error": "invalid_client", "was": b64decode(pair).decode()}, 401)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        granted = self.codes.pop(form["code"], None)
        fits = granted is not None and (
            form["grant_type"] == "authorization_code"
            and form["redirect_uri"] == granted.redirect_uri
            and _challenge(form["code_verifier"]) == granted.challenge
        )
        if granted is None or not fits:
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = self._token(granted.nonce)
        self.tokens.append(token)
        body = {"access_token": "opaque", "token_type": "Bearer", "id_token": token}
        return JSONResponse(body, self.token_status)

    def _token(self, nonce: str) -> str:
        now = int(time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        claims |= self.person | self.bent
        claims = {name: value(now) if callable(value) else value for name, value in claims.items()}
        claims = {name: value for name, value in claims.items() if value is not None}
        token: str = self.forge(claims) if self.forge else self.signs_with.sign(claims)
        return token


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64url_encode(part).decode() for part in parts)


@asynccontextmanager
async def knowing(app: FastAPI, provider: Provider) -> AsyncIterator[None]:
    """The app knows it as `acme`, and may call this machine."""
    values = app.state.settings.model_dump() | {
        "oidc_providers": {"acme": provider.settings},
        "outgoing_allowed": ("127.0.0.0/8",),
    }
    settings = type(app.state.settings).model_validate(values)
    outgoing = Outgoing(settings.outgoing_allowed, limits=SHORT)
    before = getattr(app.state, "oidc", {})
    app.state.oidc = providers_of(settings, outgoing)
    try:
        yield
    finally:
        await outgoing.close()
        app.state.oidc = before
