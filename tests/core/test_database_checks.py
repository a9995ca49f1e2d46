import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time

import pytest
from sqlalchemy import text

from glasswork.core import clock, database_checks, health
from glasswork.core.database_checks import DatabaseProbe
from glasswork.core.db import Database, create_engine
from glasswork.core.health import Health
from glasswork.core.revisions import head
from glasswork.core.telemetry.metrics import Metrics
from tests.databases import OWNER, SERVING, Server

pytestmark = pytest.mark.anyio

SECONDS = 20
"""In which whatever a test waits for must have happened."""


@pytest.fixture
async def clone(server: Server) -> AsyncIterator[str]:
    async with server.clone() as name:
        yield name


@asynccontextmanager
async def watching(url: str) -> AsyncIterator[Health]:
    watched = Health(Metrics(), DatabaseProbe(url).checks)
    async with asyncio.timeout(SECONDS), watched.watching():
        yield watched


async def checks(url: str) -> dict[str, str]:
    async with watching(url) as watched:
        return dict(watched.checks)


class TestDatabase:
    async def test_is_unavailable_where_nobody_listens(self) -> None:
        known = await checks("postgresql+asyncpg://ada:otter@127.0.0.1:1/glasswork")
        assert known == {"database": "unavailable", "schema": "unavailable"}

    async def test_is_unavailable_where_nobody_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(health, "CHECK_SECONDS", 0.02)
        done = asyncio.Event()

        async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await done.wait()
            writer.close()

        async with await asyncio.start_server(keep_silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            known = await checks(f"postgresql+asyncpg://ada@127.0.0.1:{port}/x")
            done.set()
        assert known == {"database": "unavailable", "schema": "unavailable"}

    async def test_is_there(self, server: Server, clone: str) -> None:
        assert await checks(server.url(SERVING, clone)) == {"database": "ok", "schema": "ok"}

    async def test_is_asked_over_another_connection_when_one_is_lost(
        self, server: Server, clone: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "EVERY_SECONDS", 0.01)
        connection = "SELECT pid FROM pg_stat_activity WHERE application_name = 'glasswork health'"
        connection += " AND datname = $1"
        async with watching(server.url(SERVING, clone)) as watched:
            lost = await server.fetch(connection, clone, database="postgres")
            assert lost
            await server.fetch("SELECT pg_terminate_backend($1)", lost, database="postgres")
            while await server.fetch(connection, clone, database="postgres") in {None, lost}:
                pass
            assert watched.status == "ok"

    async def test_is_there_when_requests_have_used_up_the_pool(self, server: Server, clone: str) -> None:
        url = server.url(SERVING, clone)
        engine = create_engine(url, pool_size=1)
        async with Database(engine).reading() as holder:
            await holder.execute(text("SELECT 1"))
            assert await checks(url) == {"database": "ok", "schema": "ok"}
        await engine.dispose()

    @pytest.mark.parametrize("seconds", [600, -600])
    async def test_tells_who_goes_wrong_what_time_it_is(
        self, server: Server, clone: str, monkeypatch: pytest.MonkeyPatch, seconds: float
    ) -> None:
        monkeypatch.setattr(clock, "_ahead", 0.0)
        for module in (clock, database_checks):
            monkeypatch.setattr(module, "time", lambda: time() + seconds)
        assert abs(clock.now().timestamp() - time()) > SECONDS
        await checks(server.url(SERVING, clone))
        assert abs(clock.now().timestamp() - time()) < SECONDS


class TestSchema:
    async def test_that_is_behind_is_not_ours(self, server: Server, clone: str) -> None:
        await server.execute("UPDATE alembic_version SET version_num = '0001'", OWNER, clone)
        known = await checks(server.url(SERVING, clone))
        assert known == {"database": "ok", "schema": f"at 0001, expected {head()}"}

    @pytest.mark.parametrize("statement", ["DROP TABLE alembic_version", "DELETE FROM alembic_version"])
    async def test_that_was_never_made_is_not_ours(self, server: Server, clone: str, statement: str) -> None:
        await server.execute(statement, OWNER, clone)
        known = await checks(server.url(SERVING, clone))
        assert known == {"database": "ok", "schema": f"at None, expected {head()}"}

    async def test_of_a_newer_version_is_served_with(self, server: Server, clone: str) -> None:
        await server.execute("UPDATE alembic_version SET version_num = 'newer'", OWNER, clone)
        assert await checks(server.url(SERVING, clone)) == {"database": "ok", "schema": "ok"}
