"""What lies before the pooler, the pooler, and what lies behind it fails; each answer, and how it heals."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from anyio.lowlevel import checkpoint
from fastapi import FastAPI
from pydantic import SecretStr

from glasswork.app import create_app
from glasswork.core import db, health
from tests.conftest import make_client, make_settings
from tests.databases import Server
from tests.factories.callers import Caller, Callers
from tests.pgbouncer import PgBouncer, needs_pgbouncer
from tests.tcp_proxy import TcpProxy

from .test_db_faults import (
    POOL_SIZE,
    SLACK,
    Ask,
    assert_unavailable,
    connections_in_use,
    read,
    taking_at_most,
    until_nothing_runs,
    until_ready,
    write,
)

pytestmark = [pytest.mark.anyio, needs_pgbouncer, pytest.mark.slow]

BOTH = (read, write)
LIMIT = 2
"""In the place of each; of a pause nobody is told that is shorter."""


@pytest.fixture
async def behind(url: str) -> AsyncIterator[TcpProxy]:
    """Between the pooler and the database."""
    async with TcpProxy(url) as proxy:
        yield proxy


@pytest.fixture
def pooler(behind: TcpProxy, url: str) -> Iterator[PgBouncer]:
    with PgBouncer(behind.url(url)) as pooler:
        yield pooler


@pytest.fixture
async def before(pooler: PgBouncer, url: str) -> AsyncIterator[TcpProxy]:
    """Between the app and the pooler."""
    async with TcpProxy(pooler.url(url)) as proxy:
        yield proxy


@pytest.fixture
async def app(
    url: str, before: TcpProxy | PgBouncer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FastAPI]:
    monkeypatch.setattr(health, "EVERY_SECONDS", 0.2)
    # asyncpg that is cancelled while it asks for TLS leaves a future behind that nobody looks at.
    monkeypatch.setenv("PGSSLMODE", "disable")
    for limit in ("POOL_WAIT_SECONDS", "CONNECT_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(db, limit, LIMIT)
    pooled = {"database_pooler_url": SecretStr(before.url(url)), "database_pool_size": POOL_SIZE}
    app = create_app(make_settings(url, **pooled))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def me(app: FastAPI) -> AsyncIterator[Caller]:
    async with make_client(app) as client:
        yield await Callers(client, app.state.database, app.state.keys).user()


async def ask_all(me: Caller) -> set[int]:
    answers = await asyncio.gather(*(ask(me) for ask in BOTH * POOL_SIZE))
    for answer in answers:
        if answer.status_code != 200:
            assert_unavailable(answer)
    return {answer.status_code for answer in answers}


async def until_served(me: Caller) -> None:
    async with asyncio.timeout(20):
        while await ask_all(me) != {200}:
            pass


@pytest.mark.parametrize("place", ["before", "behind"])
class TestSilence:
    async def test_is_told_in_time_and_heals(
        self, app: FastAPI, me: Caller, server: Server, request: pytest.FixtureRequest, place: str
    ) -> None:
        proxy: TcpProxy = request.getfixturevalue(place)
        await until_served(me)
        proxy.freeze()
        with taking_at_most(2 * LIMIT + SLACK):  # for a free place in the pool, and for the answer
            assert await ask_all(me) == {503}
        assert connections_in_use(app) == 0
        await proxy.heal()
        await until_served(me)
        await until_nothing_runs(app, server)


class TestACommitWhoseAnswerIsLost:
    @pytest.mark.parametrize("place", ["before", "behind"])
    async def test_is_told_as_such_and_not_repeated(
        self, me: Caller, request: pytest.FixtureRequest, place: str
    ) -> None:
        before = (await read(me)).json()
        request.getfixturevalue(place).cut_after_commit()
        answer = await write(me, "Once")
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["code"] == "OUTCOME_UNKNOWN"
        after = (await read(me)).json()
        assert (after["name"], after["version"]) == ("Once", before["version"] + 1)

    async def test_of_a_read_is_read_anew(self, me: Caller, before: TcpProxy) -> None:
        await read(me)
        before.cut_after_commit()
        assert (await read(me)).status_code == 200


class TestServersThatAreLost:
    async def test_while_idle_are_not_noticed(self, me: Caller, behind: TcpProxy) -> None:
        await until_served(me)
        behind.reset()
        assert await ask_all(me) == {200}

    @pytest.mark.parametrize("ask", BOTH)
    async def test_under_a_statement_are_replaced(
        self, app: FastAPI, me: Caller, behind: TcpProxy, server: Server, ask: Ask
    ) -> None:
        await until_served(me)
        behind.freeze()
        answer = asyncio.create_task(ask(me))
        while not connections_in_use(app):
            await checkpoint()
        behind.reset()
        await behind.heal()
        assert (await answer).status_code == 200
        await until_nothing_runs(app, server)


class TestThePooler:
    @pytest.fixture
    def before(self, pooler: PgBouncer) -> PgBouncer:
        return pooler

    async def test_that_pauses_makes_callers_wait_and_be_told(
        self, app: FastAPI, me: Caller, pooler: PgBouncer, server: Server
    ) -> None:
        await until_served(me)
        pooler.pause()
        assert await ask_all(me) == {503}
        pooler.resume()
        await until_served(me)
        await until_nothing_runs(app, server)

    async def test_that_pauses_for_a_moment_is_not_noticed(self, me: Caller, pooler: PgBouncer) -> None:
        await until_served(me)
        pooler.pause()
        answers = asyncio.gather(*(ask(me) for ask in BOTH))
        await checkpoint()
        pooler.resume()
        assert [answer.status_code for answer in await answers] == [200, 200]

    async def test_that_dies_is_told_of_until_it_is_back(
        self, app: FastAPI, me: Caller, pooler: PgBouncer, server: Server
    ) -> None:
        await until_served(me)
        pooler.kill()
        assert await ask_all(me) == {503}
        await until_ready(app, 503)
        checks = (await me.client.get("/ready")).json()["checks"]
        assert checks == {"database": "ok", "schema": "ok", "pooler": "unavailable"}
        pooler.start()
        assert await ask_all(me) == {200}
        await until_ready(app, 200)
        await until_nothing_runs(app, server)


class TestCallersWhoGoAway:
    async def test_leave_no_server_lent(self, app: FastAPI, me: Caller, server: Server) -> None:
        for steps in range(50):
            request = asyncio.create_task(BOTH[steps % 2](me))
            while not connections_in_use(app) and not request.done():
                await checkpoint()
            for _ in range(steps):
                await checkpoint()
            request.cancel()
            await asyncio.wait({request})
        await until_nothing_runs(app, server)
        assert await ask_all(me) == {200}
