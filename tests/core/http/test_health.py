import asyncio

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from glasswork.core.db import Database
from glasswork.core.http import health
from glasswork.core.migrations import head
from tests.databases import OWNER, Server
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio

AWAY = {"status": "unavailable", "checks": {"database": "unavailable", "schema": "unknown"}}


class TestReady:
    async def test_not_while_the_database_is_away(self, offline: AsyncClient) -> None:
        response = await offline.get("/ready")
        assert (response.status_code, response.json()) == (503, AWAY)

    async def test_not_while_the_database_is_silent(
        self, app: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "CHECK_SECONDS", 0.02)
        done = asyncio.Event()

        async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await done.wait()
            writer.close()

        async with await asyncio.start_server(keep_silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            # An engine of its own, for ours gives up connecting by itself.
            app.state.database = Database(create_async_engine(f"postgresql+asyncpg://ada@127.0.0.1:{port}/x"))
            response = await client.get("/ready")
            done.set()
        assert (response.status_code, response.json()) == (503, AWAY)

    async def test_not_while_the_schema_is_behind(
        self, committing_callers: Callers, committing_app: FastAPI, server: Server
    ) -> None:
        database = make_url(committing_app.state.settings.database_url.get_secret_value()).database
        await server.execute("UPDATE alembic_version SET version_num = '0000'", OWNER, database)
        response = await committing_callers.client.get("/ready")
        assert response.status_code == 503
        assert response.json() == {
            "status": "unavailable",
            "checks": {"database": "ok", "schema": f"at 0000, expected {head()}"},
        }

    async def test_when_database_and_schema_are_there(self, client: AsyncClient) -> None:
        response = await client.get("/ready")
        assert response.status_code == 200
        assert response.json() == {"status": "ok", "checks": {"database": "ok", "schema": "ok"}}


class TestHealth:
    async def test_asks_nobody_else(self, offline: AsyncClient) -> None:
        response = await offline.get("/health")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_the_app_opens_its_database_at_the_start_and_closes_it_at_the_end(
    committing_app: FastAPI,
) -> None:
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    answers: list[str] = []

    async def send(message: dict[str, str]) -> None:
        answers.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            database: Database = committing_app.state.database
            assert (await health.check(database)).status == "ok"
            messages.put_nowait({"type": "lifespan.shutdown"})

    messages.put_nowait({"type": "lifespan.startup"})
    await committing_app({"type": "lifespan"}, messages.get, send)  # type: ignore[arg-type]
    assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert committing_app.state.database.engine.pool.checkedin() == 0
