"""Processes that go through a PgBouncer, which dies or whose database restarts, while thirty clients work."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from glasswork.core import migrations
from glasswork.core.embedded import DATABASE, OWNER_ROLE, SERVING_ROLE, EmbeddedPostgres
from tests.databases import Server
from tests.factories.callers import PASSWORD
from tests.pgbouncer import PgBouncer, needs_pgbouncer
from tests.processes import Serving, Working
from tests.streams import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(300), needs_pgbouncer]

CLIENTS = 30
POOL_SIZE = 3
OF_A_SERVER, OF_A_WORKER = 2, 7
"""Connections beside the pooler: health and LISTEN; and with two of LISTEN more, up to four of the queue."""


class Client:
    """Makes tasks in a project, and counts the answers."""

    def __init__(self, http: httpx2.AsyncClient, project_id: str) -> None:
        self._http = http
        self._tasks = f"/projects/{project_id}/tasks"
        self.answers: Counter[int] = Counter()
        self.made: set[str] = set()

    async def work(self, over: asyncio.Event) -> None:
        """Make tasks; each that was refused is sent again, with its key, until it is there."""
        while not over.is_set():
            key = uuid4().hex
            while not over.is_set():
                answer = await self._http.post(
                    self._tasks, json={"title": "T"}, headers={"Idempotency-Key": key}
                )
                self.answers[answer.status_code] += 1
                if answer.status_code == 201:
                    self.made.add(answer.json()["id"])
                    break
                await asyncio.sleep(0.2)

    async def seen(self) -> set[str]:
        answer = await self._http.get(self._tasks, params={"limit": 100})
        assert answer.status_code == 200, answer.text
        return {task["id"] for task in answer.json()["items"]}


async def begin(http: httpx2.AsyncClient, clients: int) -> list[Client]:
    """Open an account, with a project for each client."""
    name = uuid4().hex[:10]
    account = {"email": f"{name}@example.com", "username": name, "name": "N"}
    await must(http, "/auth/register", json=account | {"password": PASSWORD})
    token = await must(http, "/auth/token", data={"username": name, "password": PASSWORD})
    http.headers["Authorization"] = f"Bearer {token['access_token']}"
    workspace = await must(http, "/workspaces", json={"name": "W", "slug": name})
    path = f"/workspaces/{workspace['id']}/projects"
    projects = [await must(http, path, json={"name": "P", "key": f"P{number}"}) for number in range(clients)]
    return [Client(http, project["id"]) for project in projects]


async def must(http: httpx2.AsyncClient, path: str, **body: Any) -> Any:
    answer = await http.post(path, **body)
    assert answer.is_success, answer.text
    return answer.json()


@asynccontextmanager
async def at_work(data_dir: Path, url: str, pooler: PgBouncer) -> AsyncIterator[list[Client]]:
    """Two servers and a worker, and clients of both servers, who have begun."""
    environment = {
        "DATABASE_URL": url,
        "DATABASE_POOLER_URL": pooler.url(url),
        "JWT_SECRET": "-" * 32,
        "RATE_LIMIT_ENABLED": "false",
    }
    async with AsyncExitStack() as stack:
        stack.enter_context(Working(data_dir, **environment))
        servers = [Serving(data_dir, "--no-worker", **environment) for _ in range(2)]
        clients = []
        for serving in servers:
            await asyncio.to_thread(stack.enter_context, serving)
            address = f"{serving.base_url}/api/v1"
            http = httpx2.AsyncClient(base_url=address, timeout=30, trust_env=False)
            clients += await begin(await stack.enter_async_context(http), CLIENTS // 2)
        yield clients


@pytest.fixture
def pooler(url: str) -> Iterator[PgBouncer]:
    with PgBouncer(url, POOL_SIZE) as pooler:
        yield pooler


async def until_each_made(clients: list[Client], more: int) -> None:
    goals = [len(client.made) + more for client in clients]
    async with asyncio.timeout(6 * PATIENCE):
        while any(len(client.made) < goal for client, goal in zip(clients, goals, strict=True)):
            await asyncio.sleep(0.05)


async def ensure_nothing_is_lost(clients: list[Client]) -> None:
    for client in clients:
        assert client.made <= await client.seen()
        assert len(await client.seen()) <= len(client.made) + 1  # the last one's answer may not have come


async def test_many_clients_share_few_servers(
    url: str, pooler: PgBouncer, server: Server, data_dir: Path
) -> None:
    async with at_work(data_dir, url, pooler) as clients:
        over = asyncio.Event()
        working = asyncio.gather(*(client.work(over) for client in clients))
        await until_each_made(clients, 3)
        name = url.rpartition("/")[2].partition("?")[0]
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1"
        connections = await server.fetch(count, name, database="postgres")
        assert isinstance(connections, int)
        assert POOL_SIZE < connections <= POOL_SIZE + 2 * OF_A_SERVER + OF_A_WORKER
        over.set()
        await working
        assert sum((client.answers for client in clients), Counter()).keys() == {201}
        await ensure_nothing_is_lost(clients)

        async def mails() -> object:
            told = "SELECT count(*) || ' of ' || count(DISTINCT recipient) FROM kept_mails"
            return await server.fetch(told, database=name)

        async with asyncio.timeout(6 * PATIENCE):
            while await mails() != "2 of 2":
                await asyncio.sleep(0.1)


async def test_a_pooler_that_dies_costs_503s_until_it_is_back(
    url: str, pooler: PgBouncer, data_dir: Path
) -> None:
    async with at_work(data_dir, url, pooler) as clients:
        over = asyncio.Event()
        working = asyncio.gather(*(client.work(over) for client in clients))
        for _ in range(2):
            await until_each_made(clients, 1)
            pooler.kill()
            pooler.start()
        await until_each_made(clients, 1)
        over.set()
        await working
        assert sum((client.answers for client in clients), Counter()).keys() <= {201, 503}
        await ensure_nothing_is_lost(clients)


@pytest.fixture
def database() -> Iterator[EmbeddedPostgres]:
    """One of its own, which can be stopped."""
    home = Path(tempfile.mkdtemp(prefix="glasswork_test_"))
    home.chmod(0o755)
    with EmbeddedPostgres(home, durable=False) as database:
        yield database
    shutil.rmtree(home, ignore_errors=True)


async def test_a_database_that_restarts_behind_it_costs_503s(
    database: EmbeddedPostgres, data_dir: Path
) -> None:
    url = database.url(SERVING_ROLE, DATABASE)
    await migrations.upgrade(database.url(OWNER_ROLE, DATABASE), url)
    with PgBouncer(url, POOL_SIZE) as pooler:
        async with at_work(data_dir, url, pooler) as clients:
            over = asyncio.Event()
            working = asyncio.gather(*(client.work(over) for client in clients))
            await until_each_made(clients, 1)
            await asyncio.to_thread(database.stop)
            await asyncio.to_thread(database.start)
            await until_each_made(clients, 1)
            over.set()
            await working
            assert sum((client.answers for client in clients), Counter()).keys() <= {201, 503}
            await ensure_nothing_is_lost(clients)
