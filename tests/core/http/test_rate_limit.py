import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from glasswork.app import create_app
from glasswork.core.http.callers import client_key
from glasswork.core.settings import Settings

from .answers import ORIGIN

pytestmark = pytest.mark.anyio


def calling_from(app: FastAPI, address: str) -> AsyncClient:
    transport = ASGITransport(app=app, client=(address, 50_000))
    return AsyncClient(transport=transport, base_url="http://localhost")


@pytest.fixture(scope="module")
def limited(settings: Settings) -> FastAPI:
    """Each test calls it from addresses of its own."""
    limit = {"rate_limit_enabled": True, "rate_limit_global": "2/hour", "cors_origins": (ORIGIN,)}
    return create_app(settings.model_copy(update=limit))


class TestRateLimit:
    async def test_refuses_one_too_many_in_the_envelope(self, limited: FastAPI) -> None:
        async with calling_from(limited, "192.0.2.1") as client:
            statuses = [(await client.get("/nowhere")).status_code for _ in range(2)]
            response = await client.get("/docs", headers={"Origin": ORIGIN})
        assert statuses == [404, 404]
        assert response.status_code == 429
        assert response.json()["error"]["code"] == "RATE_LIMITED"
        assert response.json()["error"]["request_id"] == response.headers["X-Request-ID"]
        assert 1 <= int(response.headers["Retry-After"]) <= 7200
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN

    @pytest.mark.parametrize(
        ("one", "other", "shared"),
        [
            ("192.0.2.2", "192.0.2.2", True),
            ("192.0.2.3", "192.0.2.4", False),
            ("2001:db8::1", "2001:db8::ffff:1", True),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
            ("::ffff:192.0.2.5", "::ffff:192.0.2.6", False),
        ],
    )
    async def test_is_shared_by_the_addresses_of_one_caller(
        self, limited: FastAPI, one: str, other: str, *, shared: bool
    ) -> None:
        async with calling_from(limited, one) as client:
            for _ in range(2):
                await client.get("/docs")
        async with calling_from(limited, other) as client:
            assert (await client.get("/docs")).status_code == (429 if shared else 200)

    async def test_does_not_count_probes(self, limited: FastAPI) -> None:
        async with calling_from(limited, "192.0.2.7") as client:
            for _ in range(3):
                assert (await client.get("/health")).status_code == 200
                assert (await client.get("/metrics")).status_code == 200
            assert (await client.get("/docs")).status_code == 200

    async def test_can_be_switched_off(self, client: AsyncClient) -> None:
        statuses = {(await client.get("/docs")).status_code for _ in range(4)}
        assert statuses == {200}


@pytest.mark.parametrize(
    ("client", "key"),
    [
        (None, "unknown"),
        (("testclient", 1), "testclient"),
        (("192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("::ffff:192.0.2.1", 1), "::ffff:192.0.2.1"),
    ],
)
async def test_a_caller_is_known_by_address(client: tuple[str, int] | None, key: str) -> None:
    assert client_key({"type": "http", "client": client}) == key
