"""Word between processes: told, heard, and heard again after the connection was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from glasswork.core import wakeups
from glasswork.core.wakeups import Wakeups
from tests.databases import SERVING, Server
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.anyio


class Listener:
    def __init__(self) -> None:
        self.heard: asyncio.Queue[UUID] = asyncio.Queue()

    async def next(self) -> UUID:
        async with asyncio.timeout(10):
            return await self.heard.get()


@asynccontextmanager
async def talking(url: str) -> AsyncIterator[tuple[Wakeups, Listener]]:
    listener = Listener()
    one = Wakeups(url, listener.heard.put_nowait)
    async with one.running():
        yield one, listener


@pytest.fixture
def url(server: Server, engine: AsyncEngine) -> str:
    return server.url(SERVING, engine.url.database or "")


async def greet(one: Wakeups, other: Listener) -> None:
    """Until it is heard: a connection takes its time."""
    greeting = uuid4()
    async with asyncio.timeout(10):
        while True:
            one.tell({greeting})
            try:
                async with asyncio.timeout(0.1):
                    while await other.heard.get() != greeting:
                        pass
            except TimeoutError:
                continue
            return


async def test_what_one_tells_all_hear_once(url: str) -> None:
    async with talking(url) as (one, own), talking(url) as (_, other):
        await greet(one, other)
        while not own.heard.empty():
            own.heard.get_nowait()
        told = {uuid4(), uuid4()}
        one.tell(told)
        assert {await other.next(), await other.next()} == told
        assert {await own.next(), await own.next()} == told
        last = uuid4()
        one.tell({last})
        assert (await other.next(), await own.next()) == (last, last)


async def test_who_only_tells_is_heard(url: str) -> None:
    one = Wakeups(url)
    async with one.running(), talking(url) as (_, other):
        await greet(one, other)


@pytest.mark.parametrize("fault", ["reset", "refuse", "freeze"])
async def test_it_comes_back(url: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RECONNECT_SECONDS", "ALIVE_SECONDS"):
        monkeypatch.setattr(wakeups, name, 0.05)
    monkeypatch.setattr(wakeups, "CONNECT_SECONDS", 0.5)
    async with TcpProxy(url) as proxy, talking(url) as (one, _), talking(proxy.url(url)) as (_, other):
        await greet(one, other)
        match fault:
            case "reset":
                proxy.reset()
            case "refuse":
                await proxy.refuse()
            case _:
                proxy.freeze()
        one.tell({uuid4()})
        await asyncio.sleep(0)
        await proxy.heal()
        await greet(one, other)


async def test_what_is_no_word_of_ours_is_nothing(url: str, engine: AsyncEngine) -> None:
    async with talking(url) as (one, _), talking(url) as (_, other):
        await greet(one, other)
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_notify('glasswork_changes', 'otter')"))
            await connection.commit()
        await greet(one, other)
