"""Requests with one key at once, and what becomes of a key when its request fails on the way."""

from asyncio import gather
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy import text

from glasswork.app import create_app
from glasswork.core.db import Database
from glasswork.features.idempotency.schemas import Attempt
from glasswork.features.idempotency.service import IdempotencyService
from tests.conftest import make_settings
from tests.core.runners import fetch
from tests.databases import SERVING, Server
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_workspace
from tests.features.workspaces.waiting import start
from tests.scrapes import total
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.anyio

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
REPLAYED = "Idempotent-Replayed"
ATTEMPT = Attempt("create_task", KEY, "that of another request")


@pytest.fixture
def database(committing_callers: Callers) -> Database:
    return committing_callers.database


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    return committing_callers


@pytest.fixture
async def path(owner: Caller) -> str:
    project = await make_project(owner, await make_workspace(owner))
    return f"/projects/{project['id']}/tasks"


async def send(caller: Caller, path: str) -> Response:
    return await caller.post(path, {"title": "T"}, idempotency_key=KEY)


async def count(database: Database) -> dict[str, int]:
    query = """
        SELECT (SELECT count(*) FROM tasks) AS tasks, (SELECT count(*) FROM idempotency_keys) AS keys,
            (SELECT count(*) FROM workspace_events WHERE type = 'task.created') AS events
    """
    return dict((await fetch(database, query))[0])


def outcomes(app: FastAPI) -> Counter[str]:
    scrape = app.state.signals.metrics.expose("")[0].decode()
    names = ("executed", "replayed", "in_use", "reused")
    return Counter(
        {name: int(total(scrape, "glasswork_idempotent_requests_total", outcome=name)) for name in names}
    )


ONE_OF_EACH = {"tasks": 1, "keys": 1, "events": 1}


async def test_of_twenty_at_once_one_is_carried_out(
    committing_app: FastAPI, owner: Caller, database: Database, path: str
) -> None:
    before = outcomes(committing_app)
    answers = await gather(*(send(owner, path) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert Counter(answer.headers.get(REPLAYED) for answer in answers) == {None: 1, "true": 19}
    told = {
        (answer.text, *(answer.headers[name] for name in ("Location", "ETag", "Content-Type")))
        for answer in answers
    }
    assert len(told) == 1
    assert await count(database) == ONE_OF_EACH
    await owner.post(path, {"title": "Another"}, idempotency_key=KEY)
    assert outcomes(committing_app) - before == {"executed": 1, "replayed": 19, "reused": 1}


async def test_who_waits_takes_over_from_one_who_fails(owner: Caller, database: Database, path: str) -> None:
    async with database.system_transaction() as session:
        assert await IdempotencyService(session).begin(owner.actor, ATTEMPT) is None
        waiting = await start(database, send(owner, path))
        assert not waiting.done()
        await session.rollback()
    answer = await waiting
    assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)
    assert await count(database) == ONE_OF_EACH


class TestLimit:
    @pytest.fixture
    def committing_app(self, own_app: FastAPI) -> FastAPI:
        return own_app

    async def test_nobody_waits_for_long(
        self, committing_app: FastAPI, owner: Caller, database: Database, path: str
    ) -> None:
        async with database.system_transaction() as session:
            before = outcomes(committing_app)
            assert await IdempotencyService(session).begin(owner.actor, ATTEMPT) is None
            answer = await send(owner, path)
            assert answer.status_code == 409
            assert answer.json()["error"]["code"] == "IDEMPOTENCY_KEY_IN_USE"
            assert int(answer.headers["Retry-After"]) > 0
            assert (await owner.post(path, {"title": "Without a key"})).status_code == 201
            await session.rollback()
        assert (await send(owner, path)).status_code == 201
        assert outcomes(committing_app) - before == {"executed": 1, "in_use": 1}


async def test_the_work_waits_for_locks_as_long_as_ever(owner: Caller, database: Database) -> None:
    async with database.system_transaction() as session:
        await session.execute(text("SET LOCAL lock_timeout = '7s'"))
        await IdempotencyService(session).begin(owner.actor, ATTEMPT)
        assert (await session.execute(text("SHOW lock_timeout"))).scalar_one() == "7s"


async def test_a_key_without_an_answer_is_free(owner: Caller, database: Database, path: str) -> None:
    async with database.system_transaction() as session:
        await IdempotencyService(session).begin(owner.actor, ATTEMPT)
    answer = await send(owner, path)
    assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)
    assert (await send(owner, path)).headers[REPLAYED] == "true"


class TestLostCommit:
    @pytest.fixture
    async def way(self, server: Server) -> AsyncIterator[tuple[TcpProxy, str]]:
        async with server.clone() as name, TcpProxy(server.url(SERVING, name)) as proxy:
            yield proxy, proxy.url(server.url(SERVING, name))

    @pytest.fixture
    async def committing_app(self, way: tuple[TcpProxy, str]) -> AsyncIterator[FastAPI]:
        app = create_app(make_settings(way[1]))
        async with app.router.lifespan_context(app):
            yield app

    async def test_what_nobody_knows_of_is_not_done_again(
        self, owner: Caller, database: Database, path: str, way: tuple[TcpProxy, str]
    ) -> None:
        way[0].cut_after_commit()
        lost = await send(owner, path)
        assert lost.status_code == 503
        again = await send(owner, path)
        assert (again.status_code, again.headers.get(REPLAYED)) == (201, "true")
        assert await count(database) == ONE_OF_EACH
        assert (await owner.get(f"/tasks/{again.json()['id']}")).json() == again.json()
