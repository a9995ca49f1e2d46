"""The stream for other services as they and the real processes have it, while all of them are killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Self
from uuid import UUID

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from tests.conftest import SECRET, make_client
from tests.event_streams import firsts, log_of, numbers, published, until_all_is_published
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.processes import Serving, Working, until
from tests.redis_server import RedisServer, needs_redis

pytestmark = [pytest.mark.slow, pytest.mark.anyio, needs_redis]

CONSUMER = Path(__file__).parents[1] / "docs/examples/consume_events.py"
ALL_KEPT = ("--appendonly", "yes", "--appendfsync", "always")
SECONDS = 90


@pytest.fixture
def database(own_app: FastAPI) -> Database:
    database: Database = own_app.state.database
    return database


@pytest.fixture
async def owner(own_app: FastAPI) -> AsyncIterator[Caller]:
    async with make_client(own_app) as client:
        yield await Callers(client, own_app.state.database, own_app.state.keys).user()


@pytest.fixture
def rng() -> Random:
    return Random(os.environ.get("FAULT_SEED", "otter"))  # noqa: S311 (no secret)


async def make_changes(owner: Caller, number: int, pause: float = 0) -> None:
    project = await make_project(owner, await make_workspace(owner))
    for _ in range(number):
        await make_task(owner, project)
        await asyncio.sleep(pause)


class Publishers:
    """Two workers, on the database of the app."""

    def __init__(self, data_dir: Path, database: Database, url: str) -> None:
        self._data_dir = data_dir
        self._environment = {
            "DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
            "JWT_SECRET": SECRET,
            "EVENT_STREAM_URL": url,
        }
        self._stack = ExitStack()
        self._working: list[Working] = []

    def __enter__(self) -> Self:
        self._working = [self._start(), self._start()]
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def kill(self, place: int) -> None:
        """Another one comes in its place."""
        self._working[place].process.kill()
        self._working[place] = self._start()

    def freeze(self, place: int) -> None:
        self._working[place].process.send_signal(signal.SIGSTOP)

    def thaw(self, place: int) -> None:
        self._working[place].process.send_signal(signal.SIGCONT)

    def _start(self) -> Working:
        return self._stack.enter_context(Working(self._data_dir, **self._environment))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("keeps", [True, False], ids=["Redis keeps all", "Redis forgets all"])
async def test_nothing_is_lost_or_out_of_order_whoever_is_killed(
    data_dir: Path, tmp_path: Path, database: Database, owner: Caller, rng: Random, *, keeps: bool
) -> None:
    with (
        RedisServer(tmp_path, *(ALL_KEPT if keeps else ())) as redis_server,
        Publishers(data_dir, database, redis_server.url) as publishers,
    ):
        changing = [asyncio.create_task(make_changes(owner, 150, pause=0.2)) for _ in range(4)]
        await asyncio.sleep(3)
        while not all(task.done() for task in changing):
            place = rng.randrange(2)
            match rng.choice(["publisher", "publisher", "paused", "redis"]):
                case "publisher":
                    await asyncio.to_thread(publishers.kill, place)
                case "paused":
                    publishers.freeze(place)
                    await asyncio.sleep(7)  # longer than it holds the stream
                    publishers.thaw(place)
                case _:
                    await asyncio.to_thread(redis_server.end)
                    await asyncio.sleep(rng.uniform(0, 1))
                    await asyncio.to_thread(redis_server.start)
            await asyncio.sleep(rng.uniform(0, 3))
        await asyncio.gather(*changing)
        await until_all_is_published(redis_server, database, SECONDS)
        entries, log = published(redis_server), await log_of(database)
    assert sum(map(len, log.values())) == 4 * 153
    assert firsts(entries) == log
    if keeps:
        assert numbers(entries) == log


def test_a_server_that_is_alone_publishes(data_dir: Path, tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path) as redis_server,
        Serving(data_dir, EVENT_STREAM_URL=f"{redis_server.url}?stream=ours") as serving,
    ):
        account = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}
        assert serving.client.post("/api/v1/auth/register", json=account).status_code == 201
        form = {"username": "ada", "password": PASSWORD}
        token = serving.client.post("/api/v1/auth/token", data=form).json()["access_token"]
        made = serving.client.post(
            "/api/v1/workspaces",
            json={"name": "Engines", "slug": "engines"},
            headers={"Authorization": f"Bearer {token}"},
        ).json()
        until(lambda: numbers(published(redis_server, "ours")) == {UUID(made["id"]): [1, 2]})
        assert serving.stop() == 0


class Consumer:
    """The example of the documentation."""

    def __init__(self, url: str, folder: Path) -> None:
        self._command = [sys.executable, str(CONSUMER), url, str(folder / "seen.sqlite")]
        self._folder = folder
        self._outputs: list[Path] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        # Each has one of its own, since whoever is killed may leave half a line.
        self._outputs.append(self._folder / f"lines of {len(self._outputs)}")
        with self._outputs[-1].open("wb") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def handled(self) -> Mapping[UUID, list[int]]:
        found = defaultdict(list)
        for line in self._lines():
            workspace_id, seq, _, _ = line.split()
            found[UUID(workspace_id)].append(int(seq))
        return found

    def _lines(self) -> Iterator[str]:
        for output in self._outputs:
            *lines, _ = output.read_text().split("\n")
            yield from lines


@pytest.mark.timeout(300)
async def test_a_consumer_that_is_killed_handles_all_of_it_in_order(
    data_dir: Path, tmp_path: Path, database: Database, owner: Caller, rng: Random
) -> None:
    with (
        RedisServer(tmp_path) as redis_server,
        Publishers(data_dir, database, redis_server.url),
        Consumer(redis_server.url, tmp_path) as consumer,
    ):
        changing = [asyncio.create_task(make_changes(owner, 60, pause=0.1)) for _ in range(3)]
        while not all(task.done() for task in changing):
            await asyncio.sleep(rng.uniform(1, 3))
            await asyncio.to_thread(consumer.kill)
            consumer.start()
        await asyncio.gather(*changing)
        log = await log_of(database)
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while {each: sorted(set(seqs)) for each, seqs in consumer.handled().items()} != log:
                    await asyncio.sleep(0.1)
        handled = consumer.handled()
    assert {each: list(dict.fromkeys(seqs)) for each, seqs in handled.items()} == log
    assert sum(map(len, log.values())) == 3 * 63
    assert sum(map(len, handled.values())) < 3 * 63 + 20  # twice only what was in hand
