from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from glasswork.app import create_app
from glasswork.core.settings import Settings
from tests.conftest import make_client

pytestmark = pytest.mark.anyio

HOSTS = ("localhost", "127.0.0.1", "[::1]", "*.Example.org")


@pytest.fixture(scope="module")
def hosted(settings: Settings) -> FastAPI:
    return create_app(settings.model_copy(update={"trusted_hosts": HOSTS}))


@pytest.fixture
async def client(hosted: FastAPI) -> AsyncIterator[AsyncClient]:
    async with make_client(hosted) as client:
        yield client


class TestTrustedHosts:
    @pytest.mark.parametrize(
        "host",
        [
            "",
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "localhost:",
            "localhost:80:80",
            "localhost:http",
            "localhost@evil.example",
            "localhost, evil.example",
            "example.org",
            "evilexample.org",
            "api.example.org.evil.example",
            "[::2]:8000",
            "::1",
        ],
    )
    async def test_another_host_is_refused_in_the_envelope(self, client: AsyncClient, host: str) -> None:
        response = await client.get("/docs", headers={"Host": host})
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "UNTRUSTED_HOST"
        assert response.headers["X-Request-ID"] == response.json()["error"]["request_id"]

    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "LOCALHOST:8000",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8000",
            "api.example.org",
            "a.b.EXAMPLE.org:443",
        ],
    )
    async def test_a_trusted_host_is_answered(self, client: AsyncClient, host: str) -> None:
        assert (await client.get("/docs", headers={"Host": host})).status_code == 200

    @pytest.mark.parametrize("path", ["/health", "/metrics"])
    async def test_probes_come_by_any_host(self, client: AsyncClient, path: str) -> None:
        assert (await client.get(path, headers={"Host": "10.1.2.3:8000"})).status_code == 200

    async def test_any_host_may_be_trusted(self, settings: Settings) -> None:
        app = create_app(settings.model_copy(update={"trusted_hosts": ("*",)}))
        async with make_client(app) as client:
            assert (await client.get("/docs", headers={"Host": "whatever.example"})).status_code == 200
