"""Workers die, and callers are slow, or send too much."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.guarded import HEAD, Caller

from .cells import Cells
from .effects import Comment
from .journeys import Create
from .meeting import SLACK, everybody, meet, tell
from .repeating import repeating
from .stage import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.grid, pytest.mark.timeout(300)]

MEBIBYTE = 2**20


@asynccontextmanager
async def dying(stage: Stage) -> AsyncIterator[None]:
    """One of two workers after the other; a slow mail server sees to it that they have something in hand.

    So seldom that no job loses three of them, of which it would die.
    """
    stage.start_worker()
    await stage.until_working()
    stage.to_mail.latency = 0.2
    async with repeating(stage.replace_worker, 5):
        yield
    await stage.to_mail.heal()
    stage.workers.pop().__exit__()
    await stage.until_working()


@pytest.mark.fault("F9")
async def test_that_workers_are_killed(stage: Stage, cells: Cells) -> None:
    async with everybody(stage) as journeys:
        (comment,) = (each for each in journeys if isinstance(each, Comment))
        comment.may_repeat_mail = True
        before = set(stage.workers)
        trails = await meet(journeys, dying(stage), 10)
        assert before.isdisjoint(stage.workers)
        # What a dead worker had in hand waits for the end of its heartbeat, and pauses between attempts grow.
        await tell(cells, trails, recovery=10)


class Dawdlers:
    """They begin a request each, and do not go on."""

    NUMBER = 200
    SECONDS = 10
    """After which they are told that it took too long."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.statuses: set[int] = set()

    @asynccontextmanager
    async def there(self) -> AsyncIterator[None]:
        with ExitStack() as stack:
            callers = [stack.enter_context(Caller(self.port)) for _ in range(self.NUMBER)]
            for caller in callers:
                caller.send(HEAD)
            yield
            async with asyncio.timeout(self.SECONDS + SLACK):
                for caller in callers:
                    self.statuses.add((await asyncio.to_thread(caller.read)).status)


@pytest.mark.fault("F11")
async def test_that_callers_dawdle(stage: Stage, cells: Cells) -> None:
    dawdlers = Dawdlers(port_of(stage))
    async with everybody(stage) as journeys:
        trails = await meet(journeys, dawdlers.there(), 4)
        assert dawdlers.statuses == {408}
        await tell(cells, trails)


class Flooders:
    """They send much more than is taken, and say so or do not."""

    HOW = (b"Content-Length: 52428800", b"Transfer-Encoding: chunked")
    CHUNK = b"%x\r\n%b\r\n" % (MEBIBYTE, bytes(MEBIBYTE))

    def __init__(self, port: int, journey: Create) -> None:
        self.port = port
        self.journey = journey
        self.statuses: list[int] = []

    async def come(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(self._send, how) for how in self.HOW * 2))

    def _send(self, how: bytes) -> None:
        head = (
            f"POST /api/v1{self.journey.tasks} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self.journey.person.token}\r\nContent-Type: application/json\r\n"
        )
        with Caller(self.port) as caller:
            caller.send(head.encode() + how + b"\r\n\r\n" + self.CHUNK * 2)
            self.statuses.append(caller.read().status)


@pytest.mark.fault("F12")
async def test_that_bodies_are_huge(stage: Stage, cells: Cells) -> None:
    async with everybody(stage) as journeys, everybody(stage, [Create]) as (create,):
        assert isinstance(create, Create)
        flooders = Flooders(port_of(stage), create)
        before = memory_of(stage)
        trails = await meet(journeys, repeating(flooders.come, 0.1), 4)
        assert set(flooders.statuses) == {413}
        assert len(flooders.statuses) >= 20
        assert memory_of(stage) - before < 32
        await create.check()
        await tell(cells, trails)


def port_of(stage: Stage) -> int:
    port = make_url(stage.base_url).port
    assert port
    return port


def memory_of(stage: Stage) -> float:
    """The most that the API has had, in MiB."""
    status = Path(f"/proc/{stage.apis[0].process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
