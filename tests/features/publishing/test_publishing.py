"""Every change reaches the stream, in order, whatever becomes of Redis, of publishers and of words."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs

from glasswork.core import event_stream
from glasswork.core.db import Database, open_database
from glasswork.core.telemetry.metrics import Metrics
from glasswork.features.publishing import service
from glasswork.features.publishing.service import publishing
from tests.event_streams import NAME, firsts, log_of, numbers, published, until_all_is_published
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.redis_server import RedisServer, needs_redis
from tests.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.anyio, needs_redis]


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(service, "LONGEST_PAUSE", 0.1)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as redis_server:
        yield redis_server


class Process:
    """As far as publishing is concerned."""

    def __init__(self, app: FastAPI, url: str, database: Database | None = None) -> None:
        self._settings = app.state.settings.model_copy(update={"event_stream_url": SecretStr(url)})
        self._database: Database = database or app.state.database
        self.metrics = Metrics()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with publishing(self._settings, self._database, self.metrics):
            yield

    def sample(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"glasswork_stream_{name}") or 0

    async def until(self, name: str, least: float) -> None:
        async with asyncio.timeout(20):
            while self.sample(name) < least:
                await asyncio.sleep(0.02)

    async def until_complete(self) -> None:
        async with asyncio.timeout(20):
            while self.sample("behind_seconds") > 0:
                await asyncio.sleep(0.02)


@pytest.fixture
def process(committing_app: FastAPI, redis_server: RedisServer) -> Process:
    return Process(committing_app, redis_server.url)


@pytest.fixture
def database(committing_app: FastAPI) -> Database:
    database: Database = committing_app.state.database
    return database


@pytest.fixture
async def owner(committing_callers: Callers) -> Caller:
    return await committing_callers.user()


@pytest.fixture
async def workspace(owner: Caller) -> dict[str, Any]:
    return await make_workspace(owner)


@pytest.fixture
async def project(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_project(owner, workspace)


async def make_tasks(owner: Caller, project: dict[str, Any], number: int) -> None:
    for _ in range(number):
        await make_task(owner, project)


async def make_all(owner: Caller, number: int) -> None:
    await make_tasks(owner, await make_project(owner, await make_workspace(owner)), number)


class TestEntries:
    async def test_show_what_the_feed_shows(
        self,
        redis_server: RedisServer,
        database: Database,
        process: Process,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
    ) -> None:
        path = f"/workspaces/{workspace['id']}"
        await owner.post(f"{path}/invitations", {"email": "eve@example.com", "role": "member"})
        task = await make_task(owner, project, title="Ärger\u2028")
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        await owner.request("DELETE", f"/tasks/{task['id']}", headers={"traceparent": trace})
        async with process.running():
            await until_all_is_published(redis_server, database)
        entries = published(redis_server)
        items = (await owner.get(f"{path}/changes")).json()["items"]
        assert [json.loads(entry["change"]) for entry in entries] == items
        assert {entry["workspace_id"] for entry in entries} == {workspace["id"]}
        for entry, item in zip(entries, items, strict=True):
            assert (entry["seq"], entry["type"]) == (str(item["seq"]), item["type"])
            assert entry["request_id"] == item["request_id"]
        async with database.reading() as session:
            rows = await session.execute(text("SELECT id, traceparent FROM workspace_events ORDER BY seq"))
            told = [(str(row.id), row.traceparent or "") for row in rows]
        assert [(entry["id"], entry["traceparent"]) for entry in entries] == told
        assert trace[3:35] in entries[-1]["traceparent"]

    async def test_are_none_of_without_the_setting(
        self, committing_app: FastAPI, redis_server: RedisServer, database: Database, project: dict[str, Any]
    ) -> None:
        assert project
        async with publishing(committing_app.state.settings, database, Metrics()):
            assert redis_server.stored() == []
        async with Process(committing_app, redis_server.url).running():
            await until_all_is_published(redis_server, database)
        assert set(redis_server.stored()) == {NAME, f"{NAME}:positions"}  # and nobody holds it any longer

    async def test_come_with_the_word_of_the_change(
        self,
        redis_server: RedisServer,
        database: Database,
        process: Process,
        owner: Caller,
        project: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async with process.running():
            await until_all_is_published(redis_server, database)
            monkeypatch.setattr(service, "LOOK_SECONDS", 3600)
            await asyncio.sleep(0.2)  # the next look is the last one
            async with asyncio.timeout(20):
                is_heard = False
                while not is_heard:  # a connection takes its time
                    await make_task(owner, project)
                    with suppress(TimeoutError):
                        await until_all_is_published(redis_server, database, 0.5)
                        is_heard = True
        assert numbers(published(redis_server)) == await log_of(database)

    async def test_come_without_it_too(
        self,
        committing_app: FastAPI,
        redis_server: RedisServer,
        database: Database,
        process: Process,
        owner: Caller,
        project: dict[str, Any],
    ) -> None:
        async with process.running(), open_database(committing_app.state.settings, {}) as silent:
            await until_all_is_published(redis_server, database)
            committing_app.state.database = silent
            try:
                await make_task(owner, project)
            finally:
                committing_app.state.database = database
            await until_all_is_published(redis_server, database)
            await process.until_complete()
        assert process.sample("published_total") == len(published(redis_server))

    async def test_are_in_order_however_many_there_are(
        self,
        redis_server: RedisServer,
        database: Database,
        process: Process,
        owner: Caller,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "PAGE", 4)
        monkeypatch.setattr(service, "WORKSPACES", 2)
        for number in (5, 0, 1, 9):
            await make_all(owner, number)
        with monkeypatch.context() as only_once:
            only_once.setattr(service, "LOOK_SECONDS", 3600)
            async with process.running():
                await until_all_is_published(redis_server, database)
        async with process.running():
            await asyncio.gather(*(make_all(owner, 3) for _ in range(3)))
            await until_all_is_published(redis_server, database)
        assert numbers(published(redis_server)) == await log_of(database)

    async def test_are_in_order_however_large_they_are(
        self,
        redis_server: RedisServer,
        database: Database,
        process: Process,
        owner: Caller,
        project: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "BYTES", 5000)
        monkeypatch.setattr(service, "LOOK_SECONDS", 3600)
        for size in (10, 4000, 4000, 6000, 10, 6000):
            await make_task(owner, project, description="x" * size)
        async with process.running():
            await until_all_is_published(redis_server, database)
        assert numbers(published(redis_server)) == await log_of(database)


class TestFaults:
    @pytest.mark.parametrize("fault", ["ended", "frozen", "full", "emptied"])
    async def test_of_redis_lose_nothing_and_are_told_once(
        self,
        redis_server: RedisServer,
        database: Database,
        process: Process,
        owner: Caller,
        project: dict[str, Any],
        fault: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(event_stream, "ANSWER_SECONDS", 1)
        with capture_logs() as lines:
            async with process.running():
                await until_all_is_published(redis_server, database)
                harm(redis_server, fault)
                await make_tasks(owner, project, 3)
                if fault != "emptied":
                    await process.until("failures_total", 2)
                    assert process.sample("behind_seconds") > 0
                heal(redis_server, fault)
                await until_all_is_published(redis_server, database)
                await process.until_complete()
        assert firsts(published(redis_server)) == await log_of(database)
        told = [line["event"] for line in lines if line["event"].startswith("stream.")]
        assert told == ([] if fault == "emptied" else ["stream.lost", "stream.back"])

    async def test_of_a_redis_that_was_put_back_lose_nothing(
        self,
        redis_server: RedisServer,
        database: Database,
        process: Process,
        owner: Caller,
        project: dict[str, Any],
    ) -> None:
        async with process.running():
            await until_all_is_published(redis_server, database)
            with redis.Redis.from_url(redis_server.url) as client:
                client.save()
            await make_tasks(owner, project, 3)
            await until_all_is_published(redis_server, database)
            redis_server.end()
            redis_server.start()
            before = numbers(published(redis_server))
            await until_all_is_published(redis_server, database)
        assert before != await log_of(database)
        assert numbers(published(redis_server)) == await log_of(database)

    async def test_of_the_database_lose_nothing(
        self,
        committing_app: FastAPI,
        redis_server: RedisServer,
        database: Database,
        owner: Caller,
        project: dict[str, Any],
    ) -> None:
        settings = committing_app.state.settings
        url = settings.database_url.get_secret_value()
        async with TcpProxy(url) as proxy:
            behind = settings.model_copy(update={"database_url": SecretStr(proxy.url(url))})
            async with open_database(behind, {}) as theirs:
                process = Process(committing_app, redis_server.url, theirs)
                with capture_logs() as lines:
                    async with process.running():
                        await until_all_is_published(redis_server, database)
                        await proxy.refuse()
                        await make_tasks(owner, project, 3)
                        await process.until("failures_total", 2)
                        await proxy.heal()
                        await until_all_is_published(redis_server, database)
        assert numbers(published(redis_server)) == await log_of(database)
        told = [line["event"] for line in lines if line["event"].startswith("stream.")]
        assert told == ["stream.lost", "stream.back"]

    async def test_of_one_of_two_publishers_are_made_good_by_the_other(
        self,
        committing_app: FastAPI,
        redis_server: RedisServer,
        database: Database,
        owner: Caller,
        project: dict[str, Any],
    ) -> None:
        first, second = Process(committing_app, redis_server.url), Process(committing_app, redis_server.url)
        async with second.running():
            async with first.running():
                await make_tasks(owner, project, 3)
                await until_all_is_published(redis_server, database)
            await make_tasks(owner, project, 3)
            await until_all_is_published(redis_server, database)
        assert numbers(published(redis_server)) == await log_of(database)
        assert first.sample("published_total") + second.sample("published_total") == len(
            published(redis_server)
        )

    async def test_of_who_put_the_database_back_are_told(
        self,
        redis_server: RedisServer,
        database: Database,
        process: Process,
        owner: Caller,
        project: dict[str, Any],
    ) -> None:
        async with process.running():
            await until_all_is_published(redis_server, database)
        (workspace_id,) = await log_of(database)
        with redis.Redis.from_url(redis_server.url) as client:
            client.hset(f"{NAME}:positions", str(workspace_id), 10)
        with capture_logs() as lines:
            async with process.running():
                async with asyncio.timeout(20):
                    while not lines:
                        await asyncio.sleep(0.02)
                await make_task(owner, project)
                await until_all_is_published(redis_server, database)
        assert [line for line in lines if line["event"] == "stream.ahead"] == [
            {"event": "stream.ahead", "log_level": "warning", "found": 1}
        ]
        assert numbers(published(redis_server)) == await log_of(database)


def harm(redis_server: RedisServer, fault: str) -> None:
    match fault:
        case "ended":
            redis_server.end()
        case "frozen":
            redis_server.freeze()
        case "full":
            configure(redis_server, maxmemory="1mb")
        case _:
            with redis.Redis.from_url(redis_server.url) as client:
                client.flushall()


def heal(redis_server: RedisServer, fault: str) -> None:
    match fault:
        case "ended":
            redis_server.start()
        case "frozen":
            redis_server.thaw()
        case "full":
            configure(redis_server, maxmemory="0")


def configure(redis_server: RedisServer, **values: str) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        for name, value in values.items():
            client.config_set(name, value)
