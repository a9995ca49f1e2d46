"""Live changes of the real program: of several processes, without Redis, and when one of them stops."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from live import measure
from sqlalchemy import make_url

from tests.databases import SERVING, Server
from tests.factories.callers import PASSWORD
from tests.processes import Serving
from tests.redis_server import RedisServer, needs_redis
from tests.scrapes import total
from tests.streams import Events, following, talking

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


class Address:
    """One for several servers, which get its connections in turn; one that is gone gets none."""

    def __init__(self, servers: list[Serving]) -> None:
        self._servers = servers
        self._turn = count()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in self._servers:
            server = self._servers[next(self._turn) % len(self._servers)]
            port = make_url(server.base_url).port
            with suppress(ConnectionRefusedError):
                theirs, ours = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(_pump(reader, ours), _pump(theirs, writer))
                return
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def behind_one_address(servers: list[Serving]) -> AsyncIterator[str]:
    address = Address(servers)
    listener = await asyncio.start_server(address.serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    listener.close()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@asynccontextmanager
async def two_servers(server: Server, data_dir: Path, **environment: str) -> AsyncIterator[list[Serving]]:
    async with server.clone() as name:
        settings = {"DATABASE_URL": server.url(SERVING, name), "JWT_SECRET": "-" * 32, **environment}
        with ExitStack() as stack:
            yield [
                await asyncio.to_thread(stack.enter_context, Serving(data_dir, "--no-worker", **settings))
                for _ in range(2)
            ]


class Person:
    """Somebody with a workspace; each request has a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""
        self.workspace_id = ""
        self.project_id = ""

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
            answer = await client.request(method, f"{self.url}/api/v1{path}", headers=headers, **options)
        assert answer.is_success, answer.text
        return answer.json()

    async def begin(self) -> None:
        name = uuid4().hex[:10]
        account = {"email": f"{name}@example.com", "username": name, "name": name, "password": PASSWORD}
        await self.ask("POST", "/auth/register", json=account)
        form = {"username": name, "password": PASSWORD}
        self.token = (await self.ask("POST", "/auth/token", data=form))["access_token"]
        workspace = await self.ask("POST", "/workspaces", json={"name": "W", "slug": name})
        self.workspace_id = workspace["id"]
        project = {"name": "P", "key": "OPS"}
        made = await self.ask("POST", f"/workspaces/{self.workspace_id}/projects", json=project)
        self.project_id = made["id"]

    async def make(self, number: int) -> None:
        await self.ask("POST", f"/projects/{self.project_id}/tasks", json={"title": f"Task {number}"})


async def ids(events: Events, number: int) -> list[int]:
    return [each.id for each in await events.take(number)]


@needs_redis
async def test_two_processes_share_changes_also_without_redis(
    server: Server, data_dir: Path, redis_server: RedisServer
) -> None:
    async with (
        two_servers(server, data_dir, REDIS_URL=redis_server.url) as servers,
        behind_one_address(servers) as url,
        AsyncExitStack() as stack,
    ):
        person = Person(url)
        await person.begin()
        both = [
            await stack.enter_async_context(following(url, person.token, person.workspace_id))
            for _ in range(4)
        ]
        assert [await ids(events, 1) for events in both] == [[3]] * 4
        for each in servers:
            assert total(each.client.get("/metrics").text, "glasswork_live_streams", kind="sse") == 2
        for number in range(4, 8):
            await person.make(number)
        assert [await ids(events, 4) for events in both] == [[4, 5, 6, 7]] * 4
        redis_server.end()
        for number in range(8, 12):
            await person.make(number)
        assert [await ids(events, 4) for events in both] == [[8, 9, 10, 11]] * 4


@pytest.mark.fault("F22", "stream")
async def test_a_server_that_stops_ends_its_streams_and_the_other_goes_on(
    server: Server, data_dir: Path
) -> None:
    async with two_servers(server, data_dir) as servers, behind_one_address(servers) as url:
        person = Person(url)
        await person.begin()
        first, second = servers
        async with (
            following(first.base_url, person.token, person.workspace_id) as events,
            talking(first.base_url, person.token) as client,
            following(second.base_url, person.token, person.workspace_id) as others,
        ):
            await client.ask("subscribe", workspace_id=person.workspace_id)
            assert (await ids(events, 1), await ids(others, 1)) == ([3], [3])
            await person.make(4)
            assert (await ids(events, 1), await client.changes(1)) == (
                [4],
                [(f"workspace:{person.workspace_id}", 4)],
            )
            first.process.send_signal(signal.SIGTERM)
            assert await events.rest() == []  # its end, and no broken connection
            assert await client.code() == 1012
            assert await asyncio.to_thread(first.process.wait, 5) == 0
            for number in range(5, 8):
                await person.make(number)
            assert await ids(others, 4) == [4, 5, 6, 7]
            async with following(url, person.token, person.workspace_id, after=4) as again:
                assert await ids(again, 4) == [4, 5, 6, 7]
        assert "Traceback" not in first.output
        assert "rror" not in first.output


async def test_many_read_all_of_it_in_order() -> None:
    found = await measure(clients=50, workspaces=5, per_second=40, seconds=3)
    assert len(found.delays) == 50 * 8 * 3
    assert found.most_used <= 4  # the readers; nobody else asks this process for anything
