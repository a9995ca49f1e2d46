"""The faults that other tests put between app and database are what they are named."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import make_url

from tests.databases import Server
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.anyio


@pytest.fixture
async def proxy(url: str) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(url) as proxy:
        yield proxy


@pytest.fixture
async def connection(proxy: TcpProxy, url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(proxy, url)
    yield connection
    connection.terminate()


async def connect(proxy: TcpProxy, url: str) -> asyncpg.Connection:
    way = make_url(proxy.url(url)).set(drivername="postgresql")
    return await asyncpg.connect(way.render_as_string(hide_password=False), timeout=5)


async def test_a_frozen_wire_takes_connections_and_brings_nothing_until_the_thaw(
    proxy: TcpProxy, url: str, connection: asyncpg.Connection
) -> None:
    proxy.freeze()
    asked = asyncio.create_task(connection.fetchval("SELECT 1"))
    coming = asyncio.create_task(connect(proxy, url))
    done, _ = await asyncio.wait({asked, coming}, timeout=0.1)
    assert not done
    await proxy.heal()
    assert await asked == 1
    await (await coming).close()


async def test_a_refusing_one_has_no_connections_and_takes_none(
    proxy: TcpProxy, url: str, connection: asyncpg.Connection
) -> None:
    await proxy.refuse()
    with pytest.raises((ConnectionError, asyncpg.ConnectionDoesNotExistError)):
        await connection.fetchval("SELECT 1")
    with pytest.raises(ConnectionRefusedError):
        await connect(proxy, url)
    await proxy.heal()
    await (await connect(proxy, url)).close()


async def test_a_reset_breaks_off_what_is_and_takes_what_comes(
    proxy: TcpProxy, url: str, connection: asyncpg.Connection
) -> None:
    proxy.reset()
    with pytest.raises((ConnectionError, asyncpg.ConnectionDoesNotExistError)):
        await connection.fetchval("SELECT 1")
    await (await connect(proxy, url)).close()


async def test_latency_delays_both_ways(proxy: TcpProxy, connection: asyncpg.Connection) -> None:
    proxy.latency = 0.05
    began = asyncio.get_running_loop().time()
    await connection.execute("SELECT 1")
    assert asyncio.get_running_loop().time() - began >= 0.1


async def test_a_commit_whose_answer_is_cut_off_is_done(
    proxy: TcpProxy, url: str, connection: asyncpg.Connection, server: Server
) -> None:
    proxy.cut_after_commit()
    await connection.execute("SELECT 1")
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("INSERT INTO done_jobs (job_id) VALUES (1)")
    with pytest.raises((ConnectionError, asyncpg.ConnectionDoesNotExistError)):
        await transaction.commit()
    assert await server.fetch("SELECT count(*) FROM done_jobs", database=make_url(url).database or "") == 1
    next_one = await connect(proxy, url)
    async with next_one.transaction():
        await next_one.execute("INSERT INTO done_jobs (job_id) VALUES (2)")
    await next_one.close()
