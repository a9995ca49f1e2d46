"""What lies between the app and its database fails; each answer, how long it takes, and how it heals."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest
from anyio.lowlevel import checkpoint
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy.pool import AsyncAdaptedQueuePool

from glasswork.app import create_app
from glasswork.core import db, health
from glasswork.core.http.internal import serving
from glasswork.core.listeners import listen
from tests.conftest import make_client, make_settings
from tests.databases import Server
from tests.factories.callers import Caller, Callers
from tests.scrapes import total
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.anyio

BOUND = 4
SLACK = 1.5
POOL_SIZE = 5

Ask = Callable[[Caller], Coroutine[Any, Any, Response]]


@pytest.fixture
async def proxy(url: str) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(url) as proxy:
        yield proxy


@pytest.fixture
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("POOL_WAIT_SECONDS", "CONNECT_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(db, limit, 0.4)


@pytest.fixture
async def app(url: str, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    monkeypatch.setattr(health, "EVERY_SECONDS", 0.2)
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.2)
    # asyncpg that is cancelled while it asks for TLS leaves a future behind that nobody looks at.
    monkeypatch.setenv("PGSSLMODE", "disable")
    app = create_app(make_settings(proxy.url(url), database_pool_size=POOL_SIZE))
    async with app.router.lifespan_context(app):
        yield app
        await proxy.heal()


@pytest.fixture
async def me(app: FastAPI) -> AsyncIterator[Caller]:
    async with make_client(app) as client:
        yield await Callers(client, app.state.database, app.state.keys).user()


async def read(me: Caller) -> Response:
    return await me.get("/users/me")


async def write(me: Caller, name: str = "Grace") -> Response:
    return await me.patch("/users/me", {"name": name})


def assert_unavailable(answer: Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert answer.headers["Retry-After"] == "1"


@contextmanager
def taking_at_most(seconds: float) -> Iterator[None]:
    began = monotonic()
    yield
    assert monotonic() - began < seconds


def connections_in_use(app: FastAPI) -> int:
    pool = app.state.database.engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    return pool.checkedout()


async def until_ready(app: FastAPI, status: int) -> None:
    async with asyncio.timeout(20), make_client(app) as client:
        while (await client.get("/ready")).status_code != status:
            await asyncio.sleep(0.05)


async def meet_freeze(app: FastAPI, me: Caller, proxy: TcpProxy, bound: float) -> None:
    """Of more callers than there are connections, each is told in time; then it heals."""
    assert (await read(me)).status_code == 200
    proxy.freeze()
    with taking_at_most(bound):
        answers = await asyncio.gather(*(ask(me) for ask in [read, write] * POOL_SIZE))
    for answer in answers:
        assert_unavailable(answer)
    assert (await me.client.get("/health")).status_code == 200
    await until_ready(app, 503)
    assert connections_in_use(app) == 0
    await proxy.heal()
    with taking_at_most(bound):
        assert {(await ask(me)).status_code for ask in [read, write] * POOL_SIZE} == {200}
    await until_ready(app, 200)
    assert connections_in_use(app) == 0


@pytest.mark.usefixtures("_short_limits")
async def test_a_frozen_database_is_told_of(app: FastAPI, me: Caller, proxy: TcpProxy) -> None:
    await meet_freeze(app, me, proxy, 0.8 + SLACK)


@pytest.mark.slow
async def test_a_frozen_database_is_told_of_in_4_seconds(app: FastAPI, me: Caller, proxy: TcpProxy) -> None:
    await meet_freeze(app, me, proxy, BOUND + SLACK)


class TestRefused:
    async def test_connections_are_told_of(self, app: FastAPI, me: Caller, proxy: TcpProxy) -> None:
        await proxy.refuse()
        with taking_at_most(BOUND + SLACK):
            for ask in read, write:
                assert_unavailable(await ask(me))
        assert (await me.client.get("/health")).status_code == 200
        await until_ready(app, 503)
        await proxy.heal()
        assert [(await ask(me)).status_code for ask in (read, write)] == [200, 200]
        await until_ready(app, 200)
        assert connections_in_use(app) == 0


@pytest.mark.parametrize("ask", [read, write])
class TestReset:
    async def test_of_idle_connections_is_not_noticed(
        self, app: FastAPI, me: Caller, proxy: TcpProxy, ask: Ask
    ) -> None:
        await asyncio.gather(*(ask(me) for _ in range(POOL_SIZE)))
        proxy.reset()
        answers = await asyncio.gather(*(ask(me) for _ in range(POOL_SIZE)))
        assert {answer.status_code for answer in answers} == {200}
        assert connections_in_use(app) == 0

    async def test_under_a_statement_is_mended_by_another_try(
        self, app: FastAPI, me: Caller, proxy: TcpProxy, ask: Ask
    ) -> None:
        assert (await ask(me)).status_code == 200
        proxy.freeze()
        answer = asyncio.create_task(ask(me))
        while not connections_in_use(app):
            await checkpoint()
        proxy.reset()
        await proxy.heal()
        assert (await answer).status_code == 200
        scrape = app.state.signals.metrics.expose("")[0].decode()
        assert total(scrape, "glasswork_request_retries_total", reason="connection") == 1


async def test_a_commit_of_unknown_outcome_is_told_as_such_and_not_repeated(
    app: FastAPI, me: Caller, proxy: TcpProxy
) -> None:
    before = (await read(me)).json()
    proxy.cut_after_commit()
    assert (await read(me)).status_code == 200
    answer = await write(me, "Once")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "OUTCOME_UNKNOWN"
    assert answer.headers["Retry-After"] == "1"
    after = (await read(me)).json()
    assert (after["name"], after["version"]) == ("Once", before["version"] + 1)
    assert (await write(me, "Twice")).json()["version"] == before["version"] + 2
    assert connections_in_use(app) == 0


class TestCallersWhoGoAway:
    """Leave nothing running, and no connection in use."""

    async def test_at_any_step_of_the_request(self, app: FastAPI, me: Caller, server: Server) -> None:
        for steps in range(50):
            request = asyncio.create_task((read, write)[steps % 2](me))
            while not connections_in_use(app) and not request.done():
                await checkpoint()
            for _ in range(steps):
                await checkpoint()
            request.cancel()
            await asyncio.wait({request})
        await until_nothing_runs(app, server)
        assert (await read(me)).status_code == 200

    async def test_by_closing_the_socket(self, app: FastAPI, me: Caller, server: Server) -> None:
        head = f"Host: localhost\r\nAuthorization: Bearer {me.token}"
        body = '{"name": "Gone"}'
        typed = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        requests = (
            f"GET /api/v1/users/me HTTP/1.1\r\n{head}\r\n\r\n",
            f"PATCH /api/v1/users/me HTTP/1.1\r\n{head}\r\n{typed}\r\n\r\n{body}",
        )
        listener = listen("127.0.0.1", 0, "--port")
        listener.listen()
        async with serving(listener, app):
            for number in range(50):
                _, writer = await asyncio.open_connection(*listener.getsockname())
                writer.write(requests[number % 2].encode())
                await writer.drain()
                for _ in range(number):
                    await checkpoint()
                writer.transport.abort()
            await until_nothing_runs(app, server)


async def until_nothing_runs(app: FastAPI, server: Server) -> None:
    name = app.state.database.engine.url.database
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'glasswork'"
        " AND state <> 'idle'"
    )
    async with asyncio.timeout(10):
        while connections_in_use(app) or await server.fetch(busy, name, database="postgres"):
            await checkpoint()
