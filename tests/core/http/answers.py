"""One request for each kind of answer, whoever gives it: a handler, the framework, a middleware."""

from typing import Any, NamedTuple
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from glasswork.app import create_app
from glasswork.core.actor import Actor
from glasswork.core.db import Database, create_engine
from glasswork.core.settings import Settings
from glasswork.core.tokens import Keys, issue_access_token
from tests.conftest import SECRET

ORIGIN = "https://app.example"


class Request(NamedTuple):
    status: int
    code: str | None
    method: str
    path: str
    headers: dict[str, str]
    body: str | None = None

    async def send(self, client: AsyncClient, **headers: str) -> Response:
        options: dict[str, Any] = {"headers": self.headers | headers, "content": self.body}
        response = await client.request(self.method, self.path, **options)
        assert response.status_code == self.status, response.text
        return response


_REGISTER = ("POST", "/api/v1/auth/register")
_JSON = {"Content-Type": "application/json"}
_TOKEN = issue_access_token(Keys.derive(SECRET), Actor(UUID(int=1), UUID(int=2)))
_PREFLIGHT = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}

ANSWERS = [
    Request(200, None, "GET", "/docs", {}),
    Request(400, "MALFORMED_REQUEST", *_REGISTER, _JSON, "{"),
    Request(400, "UNTRUSTED_HOST", "GET", "/docs", {"Host": "evil.example"}),
    Request(401, "INVALID_TOKEN", "GET", "/api/v1/users/me", {}),
    Request(404, "NOT_FOUND", "GET", "/nowhere", {}),
    Request(405, "METHOD_NOT_ALLOWED", "PUT", "/api/v1/users/me", {}),
    Request(413, "PAYLOAD_TOO_LARGE", *_REGISTER, _JSON | {"Content-Length": "52428800"}),
    Request(422, "VALIDATION_ERROR", *_REGISTER, _JSON, "{}"),
    Request(500, "INTERNAL_ERROR", "GET", "/bug", {}),
    Request(503, "SERVICE_UNAVAILABLE", "GET", "/api/v1/users/me", {"Authorization": f"Bearer {_TOKEN}"}),
]
REFUSED_PREFLIGHT = Request(400, "CORS_REFUSED", "OPTIONS", "/api/v1/users/me", _PREFLIGHT)


def name_of(request: Request) -> str:
    return f"{request.status} {request.code}"


every_answer = pytest.mark.parametrize("request_", [*ANSWERS, REFUSED_PREFLIGHT], ids=name_of)
every_simple_answer = pytest.mark.parametrize("request_", ANSWERS, ids=name_of)


def make_offline_app(settings: Settings) -> FastAPI:
    """With a bug and without a database, it can give every answer."""

    async def bug() -> None:
        raise RuntimeError("a bug")

    app = create_app(settings.model_copy(update={"cors_origins": (ORIGIN,)}))
    app.add_api_route("/bug", bug)
    app.state.database = Database(create_engine("postgresql+asyncpg://127.0.0.1:1/nowhere", pool_size=1))
    return app
