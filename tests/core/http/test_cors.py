import pytest
from httpx2 import AsyncClient, Response

from glasswork.app import create_app
from glasswork.core.settings import Settings
from tests.conftest import make_client

from .answers import ORIGIN, Request, every_simple_answer

pytestmark = pytest.mark.anyio


async def preflight(client: AsyncClient, origin: str, method: str = "PATCH", headers: str = "") -> Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return await client.options("/api/v1/users/me", headers=asked)


class TestPreflight:
    @pytest.mark.parametrize(
        ("origin", "method", "headers"),
        [
            ("https://evil.example", "GET", ""),
            ("http://app.example", "GET", ""),
            ("https://app.example.evil.example", "GET", ""),
            ("null", "GET", ""),
            (ORIGIN, "BREW", ""),
            (ORIGIN, "GET", "X-Unknown"),
        ],
    )
    async def test_others_are_refused_in_the_envelope(
        self, offline: AsyncClient, origin: str, method: str, headers: str
    ) -> None:
        response = await preflight(offline, origin, method, headers)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "CORS_REFUSED"

    async def test_nobody_is_allowed_unless_named(self, client: AsyncClient) -> None:
        assert (await preflight(client, ORIGIN)).status_code == 400

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def test_an_allowed_origin_may(self, offline: AsyncClient, method: str) -> None:
        headers = "authorization, content-type, if-match, idempotency-key, x-request-id"
        response = await preflight(offline, ORIGIN, method, headers)
        assert response.status_code == 200
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert method in response.headers["Access-Control-Allow-Methods"]
        assert "Access-Control-Allow-Credentials" not in response.headers

    async def test_all_origins_may_be_allowed(self, settings: Settings) -> None:
        app = create_app(settings.model_copy(update={"cors_origins": ("*",)}))
        async with make_client(app) as client:
            response = await preflight(client, "https://anybody.example")
        assert response.headers["Access-Control-Allow-Origin"] == "*"


class TestSimpleRequest:
    @every_simple_answer
    async def test_an_allowed_origin_may_read_every_answer(
        self, offline: AsyncClient, request_: Request
    ) -> None:
        headers = (await request_.send(offline, Origin=ORIGIN)).headers
        assert headers.get_list("Access-Control-Allow-Origin") == [ORIGIN]
        exposed = headers["Access-Control-Expose-Headers"].split(", ")
        assert {"ETag", "Location", "Retry-After", "Idempotent-Replayed", "X-Request-ID"} <= set(exposed)
        assert "Origin" in headers["Vary"]

    async def test_another_origin_may_not_read_it(self, offline: AsyncClient) -> None:
        response = await offline.get("/health", headers={"Origin": "https://evil.example"})
        assert response.status_code == 200
        assert "Access-Control-Allow-Origin" not in response.headers
