import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from anyio.lowlevel import checkpoint
from fastapi import FastAPI
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from glasswork.core import db
from glasswork.core.connection_settings import SERVER_SETTINGS
from glasswork.core.db import Database, create_engine
from glasswork.core.errors import ServiceUnavailableError, TransientError
from glasswork.core.queue_connections import open_pool
from tests.databases import SERVING, Server
from tests.factories.callers import Caller, Callers

from .test_db import run

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool_of_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A single connection; who finds it taken does not wait long."""
    monkeypatch.setattr(db, "POOL_WAIT_SECONDS", 0.01)
    async with server.clone() as name:
        engine = create_engine(server.url(SERVING, name), pool_size=1)
        yield Database(engine)
        await engine.dispose()


class TestConnections:
    async def test_one_that_the_server_closed_is_replaced(
        self, committing_callers: Callers, server: Server
    ) -> None:
        me = await committing_callers.user()
        for _ in range(2):
            answers = await asyncio.gather(*(me.get("/users/me") for _ in range(5)))
            assert {answer.status_code for answer in answers} == {200}
            await close_idle_connections(committing_callers.database.engine, server)

    async def test_one_that_is_lost_on_the_way_is_told_and_replaced(self, pool_of_one: Database) -> None:
        with pytest.raises(ServiceUnavailableError):
            await run(pool_of_one, "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1")
        await run(pool_of_one, "SELECT 1")

    async def test_one_that_does_not_get_free_is_given_up(self, pool_of_one: Database) -> None:
        async with pool_of_one.reading() as holder:
            await holder.execute(text("SELECT 1"))
            with pytest.raises(ServiceUnavailableError):
                await run(pool_of_one, "SELECT 1")
        await run(pool_of_one, "SELECT 1")


class TestLimits:
    """Each is the server's, wherever the connection was made."""

    ASKED = "SELECT " + ", ".join(f"current_setting('{name}')" for name in SERVER_SETTINGS)
    EXPECTED = ("glasswork", "UTC", "3s", "2500ms", "10s", "1s")

    async def test_are_those_of_the_pool(self, pool_of_one: Database) -> None:
        async with pool_of_one.reading() as session:
            assert tuple((await session.execute(text(self.ASKED))).one()) == self.EXPECTED

    async def test_are_those_of_the_queue(self, pool_of_one: Database) -> None:
        url = pool_of_one.engine.url.set(drivername="postgresql")
        async with open_pool(url.render_as_string(hide_password=False)) as pool:
            assert tuple(await pool.fetchrow(self.ASKED) or ()) == self.EXPECTED

    async def test_a_silent_statement_ends_and_takes_its_connection_with_it(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is waited for: neither the statement's cancellation nor ROLLBACK."""
        monkeypatch.setattr(db, "ANSWER_SECONDS", 0.1)
        async with server.clone() as name:
            database = Database(create_engine(server.url(SERVING, name), pool_size=1))
            with pytest.raises(ServiceUnavailableError, match="does not answer"):
                await run(database, "SELECT 1", "SELECT pg_sleep(2)")
            assert database.engine.pool.status().endswith("Current Checked out connections: 0")
            await run(database, "SELECT 1")
            await database.engine.dispose()

    async def test_an_idle_transaction_is_ended_by_the_server(self, pool_of_one: Database) -> None:
        async def be_idle() -> None:
            async with pool_of_one.transaction() as session:
                await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10ms'"))
                driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
                while not driver.is_closed():
                    await checkpoint()

        with pytest.raises(TransientError):
            await be_idle()
        await run(pool_of_one, "SELECT 1")


async def test_a_database_that_is_away_is_told(app: FastAPI, callers: Callers) -> None:
    me = await callers.user()
    nowhere = "postgresql+asyncpg://ada:otter@127.0.0.1:1/glasswork"
    app.state.database = Database(create_engine(nowhere, pool_size=1))
    for response in (await me.get("/users/me"), await me.patch("/users/me", {"name": "Ada"})):
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert response.headers["Retry-After"] == "1"
        assert "otter" not in response.text


class TestRoundTrips:
    @pytest.fixture
    def committing_app(self, own_app: FastAPI) -> FastAPI:
        return own_app

    async def test_a_read_is_a_single_one(self, committing_callers: Callers) -> None:
        me = await committing_callers.user()
        assert await sent_for(committing_callers.database, me, "GET") == ["SELECT"]

    async def test_a_write_is_one_transaction(self, committing_callers: Callers) -> None:
        me = await committing_callers.user()
        sent = await sent_for(committing_callers.database, me, "PATCH", json={"name": "Ada"})
        assert sent == ["BEGIN", "SELECT", "UPDATE", "INSERT", "COMMIT"]


async def close_idle_connections(engine: AsyncEngine, server: Server) -> None:
    """As a server does that restarts; return when the pool could know it."""
    pool = engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    connections = [await engine.connect() for _ in range(pool.checkedin())]
    drivers: list[Any] = [(await each.get_raw_connection()).driver_connection for each in connections]
    for connection in connections:
        await connection.close()
    await server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{engine.url.database}' AND usename = '{SERVING}'"
    )
    while not all(driver.is_closed() for driver in drivers):
        await checkpoint()


async def sent_for(database: Database, caller: Caller, method: str, **options: Any) -> list[str]:
    """The first words of what the database is sent for one request, when it knows the statements."""
    await caller.request(method, "/users/me", json={"name": "Somebody"} if options else None)
    words: list[str] = []

    def noting(method: Any) -> Any:
        async def noted(connection: Any, query: str, *arguments: Any, **more: Any) -> Any:
            note(query)
            return await method(connection, query, *arguments, **more)

        return noted

    def note(statement: str) -> None:
        words.append(statement.split(maxsplit=1)[0].strip(";"))

    # The engine sends BEGIN with its first statement, which it tells of before.
    event.listen(database.engine.sync_engine, "after_cursor_execute", lambda *told: note(told[2]))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "fetch"):
            patch.setattr(asyncpg.Connection, name, noting(getattr(asyncpg.Connection, name)))
        await caller.request(method, "/users/me", **options)
    return words
