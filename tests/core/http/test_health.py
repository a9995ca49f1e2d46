import asyncio

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from glasswork.app import create_app
from glasswork.core.health import Check, Health
from glasswork.core.settings import Settings
from glasswork.core.telemetry.metrics import Metrics
from tests.conftest import make_client, make_settings
from tests.databases import SERVING, Server
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio

WELL = {"status": "ok", "checks": {"database": "ok", "schema": "ok"}}


async def gone() -> str:
    raise ConnectionError("nobody is there")


class TestReady:
    async def test_not_before_anything_is_known(self, offline: AsyncClient) -> None:
        response = await offline.get("/ready")
        assert response.status_code == 503
        unknown = {"database": "unknown", "schema": "unknown"}
        assert response.json() == {"status": "unavailable", "checks": unknown}

    @pytest.mark.parametrize(
        ("is_optional", "status", "expected"), [(False, 503, "unavailable"), (True, 200, "degraded")]
    )
    async def test_says_who_is_missed_and_whether_that_matters(
        self, settings: Settings, status: int, expected: str, *, is_optional: bool
    ) -> None:
        app = create_app(settings)
        known = app.state.health = Health(Metrics(), [Check("otter", gone, is_optional=is_optional)])
        async with known.watching(), make_client(app) as client:
            response = await client.get("/ready")
        assert response.status_code == status
        assert response.json() == {"status": expected, "checks": {"otter": "unavailable"}}

    async def test_not_while_it_drains(self, own_app: FastAPI) -> None:
        own_app.state.health.drain()
        async with make_client(own_app) as client:
            response = await client.get("/ready")
        assert response.status_code == 503
        checks = {"database": "ok", "schema": "ok", "process": "draining"}
        assert response.json() == {"status": "unavailable", "checks": checks}

    async def test_when_database_and_schema_are_there(self, committing_callers: Callers) -> None:
        response = await committing_callers.client.get("/ready")
        assert (response.status_code, response.json()) == (200, WELL)


class TestHealth:
    async def test_asks_nobody_else(self, offline: AsyncClient) -> None:
        response = await offline.get("/health")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


class TestInternalPort:
    @pytest.fixture
    def app(self, settings: Settings) -> FastAPI:
        return create_app(settings.model_copy(update={"metrics_port": 9464}))

    async def test_alone_has_the_metrics(self, app: FastAPI) -> None:
        async with make_client(app) as client:
            outside = await client.get("/metrics")
            assert (outside.status_code, outside.json()["error"]["code"]) == (404, "NOT_FOUND")
            inside = await client.get("http://10.0.0.7:9464/metrics")
        assert inside.status_code == 200
        assert "glasswork_ready" in inside.text

    async def test_has_the_probes_too_and_nothing_else(self, app: FastAPI) -> None:
        async with make_client(app) as client:
            for path, status in (
                ("/health", 200),
                ("/ready", 503),
                ("/docs", 404),
                ("/api/v1/users/me", 404),
            ):
                assert (await client.get(f"http://10.0.0.7:9464{path}")).status_code == status

    async def test_is_not_there_unless_it_is_asked_for(self, offline: AsyncClient) -> None:
        assert "glasswork_ready" in (await offline.get("/metrics")).text


async def test_the_app_opens_its_database_at_the_start_and_closes_it_at_the_end(
    server: Server,
) -> None:
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    answers: list[str] = []

    async def send(message: dict[str, str]) -> None:
        answers.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            assert app.state.health.status == "ok"
            messages.put_nowait({"type": "lifespan.shutdown"})

    messages.put_nowait({"type": "lifespan.startup"})
    async with server.clone() as name:
        app = create_app(make_settings(server.url(SERVING, name)))
        await app({"type": "lifespan"}, messages.get, send)  # type: ignore[arg-type]
    assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert app.state.database.engine.pool.checkedin() == 0
