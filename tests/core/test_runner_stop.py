import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from glasswork.core.db import Database
from glasswork.core.jobs import Job, Work
from glasswork.core.runner import Runner
from tests.core.runners import (
    MAKE_STALE,
    SECONDS,
    Note,
    execute,
    history,
    jobs_of,
    open_clone,
    order,
    until_done,
    working,
)
from tests.databases import Server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    async with open_clone(server) as database:
        yield database


@pytest.fixture
def taken() -> asyncio.Queue[str]:
    """Fills with what the jobs of the test were told, each time they begin."""
    return asyncio.Queue()


async def test_what_runs_is_finished_and_nothing_new_is_begun(
    database: Database, taken: asyncio.Queue[str]
) -> None:
    finish = asyncio.Event()

    async def run(_: Work, note: Note) -> None:
        taken.put_nowait(note.text)
        await finish.wait()

    job = Job("test.run", Note, run)
    begun = await order(database, job)
    async with working(database, job) as runner:
        await taken.get()
        await _look(runner)
        runner.stop.set()
        waiting = await order(database, job)
        finish.set()
    assert await history(database, begun) == ["queued", "picked", "successful"]
    assert await history(database, waiting) == ["queued"]


async def test_what_takes_too_long_is_given_back(database: Database, taken: asyncio.Queue[str]) -> None:
    finish = asyncio.Event()

    async def run(_: Work, note: Note) -> None:
        taken.put_nowait(note.text)
        await finish.wait()

    job = Job("test.run", Note, run, max_attempts=1)
    job_id = await order(database, job)
    async with working(database, job, finish_seconds=0):
        await taken.get()
    assert [row["status"] for row in await jobs_of(database)] == ["queued"]
    finish.set()
    async with working(database, job):
        await until_done(database, job_id)
    assert taken.qsize() == 1


async def test_what_ends_when_it_is_told_to_is_done(database: Database) -> None:
    begun = asyncio.Event()

    async def run(_: Work, __: Note) -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    job = Job("test.run", Note, run)
    job_id = await order(database, job)
    async with working(database, job, finish_seconds=0):
        await begun.wait()
    assert await history(database, job_id) == ["queued", "picked", "successful"]


async def test_a_loop_that_is_torn_down_loses_no_job(database: Database) -> None:
    begun = asyncio.Event()

    async def run(_: Work, __: Note) -> None:
        if begun.is_set():
            return
        begun.set()
        await asyncio.Event().wait()

    job = Job("test.run", Note, run)
    job_id = await order(database, job)
    others = asyncio.all_tasks()
    runner = Runner(database, [job], [], None, finish_seconds=SECONDS)
    torn_down = asyncio.create_task(runner.run())
    async with asyncio.timeout(SECONDS):
        await begun.wait()
        for task in asyncio.all_tasks() - others:  # as asyncio.run does at its end
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await torn_down
    assert [row["id"] for row in await jobs_of(database)] == [job_id]
    await execute(database, MAKE_STALE)  # it may have been too late to give the job back
    async with working(database, job):
        await until_done(database, job_id)


async def _look(runner: Runner) -> None:
    """Wait until it has looked for jobs once more: a look that is under way may find what comes late."""
    before = runner.looked_at
    while runner.looked_at == before:
        await asyncio.sleep(0)
