import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from asyncpg import InterfaceError
from pgqueuer.adapters.persistence.queries import Queries
from sqlalchemy import func, select, text

from glasswork.core import queue_connections
from glasswork.core.database_errors import LOST
from glasswork.core.db import Database, create_engine
from glasswork.core.jobs import Job, Work
from glasswork.core.queue_connections import PoolDriver, open_pool
from tests.core.runners import (
    MAKE_STALE,
    SECONDS,
    Note,
    execute,
    jobs_of,
    open_clone,
    order,
    until_done,
    working,
)
from tests.databases import Server
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    async with open_clone(server) as database:
        yield database


async def test_lost_connections_are_made_anew(database: Database, server: Server) -> None:
    begun, finish = asyncio.Queue[None](), asyncio.Event()

    async def run(work: Work, _: Note) -> None:
        begun.put_nowait(None)
        await finish.wait()
        async with work.once() as session:
            await session.execute(select(func.now()))

    job = Job("test.run", Note, run, first_delay=0.01)
    held = await order(database, job)
    async with working(database, job):
        await begun.get()
        await disconnect(server, database)
        finish.set()
        await until_done(database, held)
        await until_done(database, await order(database, job))
    assert await jobs_of(database) == []


async def test_a_job_whose_retry_cannot_be_stored_is_not_dead(database: Database, server: Server) -> None:
    begun, fail = asyncio.Event(), asyncio.Event()

    async def run(_: Work, __: Note) -> None:
        if not fail.is_set():
            begun.set()
            await fail.wait()
            raise ConnectionError("no")

    job = Job("test.run", Note, run)
    job_id = await order(database, job)
    async with working(database, job):
        await begun.wait()
        async with database.transaction() as session:
            await session.execute(text("SELECT id FROM jobs.pgqueuer FOR UPDATE"))
            fail.set()
            while not await disconnect(server, database, "wait_event_type = 'Lock'"):
                pass
    assert [row["status"] for row in await jobs_of(database)] == ["picked"]
    await execute(database, MAKE_STALE)
    async with working(database, job):
        await until_done(database, job_id)


@pytest.mark.parametrize("error", [*LOST, OSError, asyncpg.AdminShutdownError])
async def test_nor_one_whose_connection_is_lost_just_then(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    is_lost = asyncio.Event()

    async def lose(*_: object) -> None:
        is_lost.set()
        raise error("lost")

    async def run(_: Work, __: Note) -> None:
        if not is_lost.is_set():
            raise ConnectionError

    job = Job("test.run", Note, run)
    job_id = await order(database, job)
    with monkeypatch.context() as lost:
        lost.setattr(Queries, "retry_job", lose)
        async with working(database, job):
            await is_lost.wait()
    assert [row["status"] for row in await jobs_of(database)] == ["picked"]
    await execute(database, MAKE_STALE)
    async with working(database, job):
        await until_done(database, job_id)


async def test_nothing_spins_while_the_database_is_away() -> None:
    knocks: asyncio.Queue[float] = asyncio.Queue()

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocks.put_nowait(asyncio.get_running_loop().time())
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as nobody:
        port = nobody.sockets[0].getsockname()[1]
        engine = create_engine(f"postgresql+asyncpg://nobody:x@127.0.0.1:{port}/nothing", pool_size=1)
        async with working(Database(engine, {})):
            times = [await knocks.get() for _ in range(3)]
    # Each round may knock twice, with and without TLS.
    assert times[-1] - times[0] > 1


async def test_a_worker_knows_whether_it_looks_for_jobs(database: Database) -> None:
    async with working(database, heartbeat_seconds=1) as runner:
        assert not runner.has_looked
        while not runner.has_looked:
            await asyncio.sleep(0.01)
    async with asyncio.timeout(SECONDS):
        while runner.has_looked:
            await asyncio.sleep(0.01)


async def test_a_connection_that_is_never_given_back_holds_up_nothing(database: Database) -> None:
    url = database.engine.url.set(drivername="postgresql")
    async with asyncio.timeout(SECONDS):
        async with open_pool(url.render_as_string(hide_password=False)) as pool:
            kept = await pool.acquire()
    with pytest.raises(InterfaceError):
        await kept.fetchval("SELECT 1")


async def disconnect(server: Server, database: Database, which: str = "true") -> object:
    """Close connections from the server's side, as its restart does; return how many."""
    query = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1 AND {which}"
    return await server.fetch(query, database.engine.url.database, database="postgres")


async def test_nobody_is_notified_before_the_runner_listens(database: Database) -> None:
    heard: asyncio.Queue[str | bytes | bytearray] = asyncio.Queue()
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with asyncpg.create_pool(url, min_size=2, max_size=2) as pool, PoolDriver(pool) as driver:
        notified = asyncio.create_task(driver.notify("test", "hello"))
        await asyncio.wait({notified}, timeout=0.2)
        await driver.add_listener("test", heard.put_nowait)
        assert await asyncio.wait_for(heard.get(), timeout=10) == "hello"
        await notified


async def test_a_worker_goes_on_after_a_freeze(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("CONNECT_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(queue_connections, limit, 0.4)

    async def run(_: Work, __: Note) -> None:
        pass

    job = Job("test.run", Note, run)
    async with open_clone(server) as direct:
        url = direct.engine.url.render_as_string(hide_password=False)
        async with TcpProxy(url) as proxy:
            frozen = Database(create_engine(proxy.url(url), pool_size=2))
            async with working(frozen, job, heartbeat_seconds=1) as worker:
                await until_done(direct, await order(direct, job))
                proxy.freeze()
                late = await order(direct, job)
                while worker.has_looked:
                    await asyncio.sleep(0.01)
                await proxy.heal()
                await until_done(direct, late)
            await frozen.engine.dispose()
