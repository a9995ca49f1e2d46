"""The database is killed, frozen, cut off, and kept busy."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from random import Random
from uuid import uuid4

import asyncpg
import pytest

from glasswork.core.health import CHECK_SECONDS, EVERY_SECONDS, FAILURES
from tests.scrapes import total

from .cells import Cells
from .effects import Comment
from .journeys import Create, Edit, Health, Journey, SignIn, Upload
from .ledger import Answer, Ledger
from .meeting import JOURNEYS, everybody, meet, refused, tell
from .repeating import repeating
from .stage import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.grid, pytest.mark.timeout(300)]

COUNTED = (503, 429)
"""An attempt that could not be given back counts like a wrong password, for a while."""
KNOWN_SECONDS = FAILURES * EVERY_SECONDS + CHECK_SECONDS
"""After which `/ready` tells of a database that does not answer, at the latest."""
EVERYBODY = {kind.name for kind in JOURNEYS}
WRITERS = {Create.name, Edit.name, Comment.name, Upload.name}


@asynccontextmanager
async def killed(stage: Stage) -> AsyncIterator[None]:
    os.kill(stage.database_processes()[0], signal.SIGKILL)
    yield
    await stage.revive_database()


@pytest.mark.fault("F1")
async def test_that_it_is_killed(stage: Stage, cells: Cells) -> None:
    async with everybody(stage) as journeys:
        trails = await meet(journeys, killed(stage), 5)
        assert refused(trails, 503) >= EVERYBODY - {Health.name}
        await tell(cells, trails, {503}, of={SignIn: COUNTED})


@asynccontextmanager
async def stopped(stage: Stage) -> AsyncIterator[None]:
    processes = stage.database_processes()
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    yield
    for process in reversed(processes):
        os.kill(process, signal.SIGCONT)


@asynccontextmanager
async def swallowed(stage: Stage) -> AsyncIterator[None]:
    stage.to_database.freeze()
    yield
    await stage.to_database.heal()


@pytest.mark.fault("F2")
@pytest.mark.parametrize("freeze", [stopped, swallowed])
async def test_that_it_freezes(
    stage: Stage, cells: Cells, freeze: Callable[[Stage], AbstractAsyncContextManager[None]]
) -> None:
    async with everybody(stage) as journeys:
        trails = await meet(journeys, freeze(stage), KNOWN_SECONDS + 2)
        assert refused(trails, 503) == EVERYBODY
        await tell(cells, trails, {503})


@pytest.mark.fault("F3")
async def test_that_the_answers_to_commits_are_lost(stage: Stage, cells: Cells) -> None:
    async with everybody(stage) as journeys:
        trails = await meet(journeys, repeating(stage.to_database.cut_after_commit, 0.02), 5)
        await stage.to_database.heal()
        unsure = {each.name for each, trail in trails.items() if any(a.is_unknown for a in trail.answers)}
        assert unsure >= {Create.name, Edit.name}
        assert not unsure & {"read", "search", Health.name}
        await tell(cells, trails, {503}, of={Health: (), SignIn: COUNTED})


@pytest.mark.fault("F4")
async def test_that_its_connections_are_reset(stage: Stage, cells: Cells) -> None:
    async with everybody(stage) as journeys:
        trails = await meet(journeys, repeating(stage.to_database.reset, 0.5), 5)
        await tell(cells, trails, {503}, of={Health: ()})


@asynccontextmanager
async def used_up(stage: Stage, edit: Edit) -> AsyncIterator[None]:
    """By a hundred who all want the row that somebody has."""
    connection = await stage.connect()
    async with asyncio.timeout(30), asyncio.TaskGroup() as crowd:
        async with connection.transaction():
            await connection.execute("SELECT FROM tasks WHERE id = $1 FOR UPDATE", edit.task["id"])
            change = {"title": "by a crowd"}
            waiting = [
                crowd.create_task(edit.person.ask("PATCH", f"/tasks/{edit.task['id']}", json=change))
                for _ in range(100)
            ]
            yield
            others = {task.result().status for task in waiting if task.done()}
            assert others == {503}
        await connection.close()


@pytest.mark.fault("F5")
async def test_that_its_connections_are_used_up(stage: Stage, cells: Cells) -> None:
    async with everybody(stage) as journeys, everybody(stage, [Edit]) as (hot,):
        assert isinstance(hot, Edit)
        trails = await meet(journeys, used_up(stage, hot), 5)
        assert refused(trails, 503) & WRITERS, "the fault has met nobody"
        # Single reads have connections of their own, and so have the looks of `/ready`.
        await tell(cells, trails, {503}, of={Health: ()})


class Leavers:
    """They ask for a task each, and are gone before they could be told of it."""

    def __init__(self, journey: Create) -> None:
        self.journey = journey
        self.ledger = Ledger()
        self._random = Random(6)  # noqa: S311 (no secret)

    async def come_and_go(self) -> None:
        name = f"{self.journey.slug}-{uuid4()}"
        asking = asyncio.create_task(self._ask(name))
        await asyncio.wait({asking}, timeout=self._random.uniform(0, 0.05))
        asking.cancel()
        self.ledger.unknown.add(name)
        with suppress(asyncio.CancelledError):
            await asking

    async def come_back(self) -> None:
        for name in list(self.ledger.unknown):
            answer = await self._ask(name)
            self.ledger.note(name, answer)

    async def _ask(self, name: str) -> Answer:
        key = {"Idempotency-Key": name}
        return await self.journey.person.ask("POST", self.journey.tasks, key, json={"title": name})


@pytest.mark.fault("F6")
async def test_that_callers_go_away(stage: Stage, cells: Cells) -> None:
    async with everybody(stage) as journeys, everybody(stage, [Create]) as (create,):
        assert isinstance(create, Create)
        leavers = Leavers(create)
        trails = await meet(journeys, repeating(leavers.come_and_go, 0.03), 5)
        assert len(leavers.ledger.unknown) >= 30
        await until_idle(stage)
        await leavers.come_back()
        create.ledger.done |= leavers.ledger.done
        await create.check()
        await tell(cells, trails)


async def until_idle(stage: Stage) -> None:
    busy = "SELECT FROM pg_stat_activity WHERE application_name = 'glasswork' AND state LIKE 'idle in %'"
    async with asyncio.timeout(10):
        while await stage.query(busy):
            await asyncio.sleep(0.05)


class Crossing:
    """Two tasks, which some change at once in both orders, and somebody else who takes no care of any."""

    CALLERS = 4
    """Of more, on a busy machine, some would wait for longer than a statement may take."""
    BREATH = 0.7
    """Seconds from answer to request, or they would send more than sixty a minute."""
    PAUSE = 0.2

    def __init__(self, stage: Stage, journey: Journey) -> None:
        self.stage = stage
        self.journey = journey
        self.statuses = Counter[int | None]()

    async def begin(self) -> None:
        tasks = [(await self.journey.person.make(self.journey.tasks, title=name))["id"] for name in "AB"]
        self.tasks = sorted(tasks)

    @asynccontextmanager
    async def storm(self) -> AsyncIterator[None]:
        over = asyncio.Event()
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(self._cross(over))
            for number in range(self.CALLERS):
                group.create_task(self._change(self.tasks[:: -1 if number % 2 else 1], over))
            yield
            over.set()

    async def _change(self, tasks: list[str], over: asyncio.Event) -> None:
        path = f"/workspaces/{self.journey.workspace}/tasks/bulk"
        while not over.is_set():
            operations = [{"op": "update", "task_id": each, "title": uuid4().hex} for each in tasks]
            body = {"mode": "atomic", "operations": operations}
            self.statuses[(await self.journey.person.ask("POST", path, json=body)).status] += 1
            await asyncio.sleep(self.BREATH)

    async def _cross(self, over: asyncio.Event) -> None:
        connection = await self.stage.connect()
        while not over.is_set():
            with suppress(asyncpg.DeadlockDetectedError):  # it too may be the one that gives way
                async with connection.transaction():
                    for task in reversed(self.tasks):
                        await connection.execute("SELECT FROM tasks WHERE id = $1 FOR UPDATE", task)
                        await asyncio.sleep(0.1)
            await asyncio.sleep(self.PAUSE)
        await connection.close()

    async def check(self) -> None:
        assert set(self.statuses) == {200}, self.statuses
        for task in self.tasks:
            seen = (await self.journey.person.ask("GET", f"/tasks/{task}")).body
            assert seen["version"] == 1 + self.statuses[200]


@pytest.mark.fault("F19")
async def test_that_transactions_deadlock(stage: Stage, cells: Cells) -> None:
    async with everybody(stage) as journeys, everybody(stage, [Create]) as (create,):
        crossing = Crossing(stage, create)
        await crossing.begin()
        before = deadlocks(stage)
        trails = await meet(journeys, crossing.storm(), 8)
        assert deadlocks(stage) > before
        await crossing.check()
        await tell(cells, trails)


def deadlocks(stage: Stage) -> float:
    scrape = stage.apis[0].client.get("/metrics").text
    return total(scrape, "glasswork_request_retries_total", reason="deadlock")
