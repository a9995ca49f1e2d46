import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from glasswork.core.attempts import backoff
from glasswork.core.db import Database
from glasswork.core.jobs import Job, Nothing, Work
from glasswork.core.runner import CONCURRENCY, Recurring
from glasswork.core.telemetry.context import begin_request, current_request
from tests.core.runners import (
    MAKE_STALE,
    SECONDS,
    Note,
    execute,
    fetch,
    history,
    jobs_of,
    open_clone,
    order,
    until_done,
    working,
)
from tests.databases import Server

pytestmark = pytest.mark.anyio

EFFECT = text(
    "INSERT INTO installation_events (id, type, subject_id, request_id)"
    " VALUES (gen_random_uuid(), 'test.effect', gen_random_uuid(), :job_id)"
)


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    async with open_clone(server) as database:
        yield database


async def effects(database: Database) -> int:
    return len(await fetch(database, "SELECT id FROM installation_events"))


@pytest.fixture
def taken() -> asyncio.Queue[str]:
    """Fills with what the jobs of the test were told, each time they begin."""
    return asyncio.Queue()


async def test_a_job_gets_what_it_was_ordered_with(database: Database) -> None:
    seen: asyncio.Queue[tuple[int, str, str, str]] = asyncio.Queue()

    async def run(work: Work, note: Note) -> None:
        seen.put_nowait((work.id, note.text, work.resources, current_request().request_id))

    job = Job("test.run", Note, run)
    begin_request("the-one-to-find")
    job_id = await order(database, job, Note(text="now"))
    begin_request("another")
    async with working(database, job, resources="world"):
        assert await seen.get() == (job_id, "now", "world", "the-one-to-find")
    assert await jobs_of(database) == []
    assert await history(database, job_id) == ["queued", "picked", "successful"]


async def test_a_job_of_no_request_has_an_id_of_its_own(database: Database) -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()

    async def run(_: Work, __: Nothing) -> None:
        seen.put_nowait(current_request().request_id)

    job = Job("test.run", Nothing, run)
    await execute(
        database, "INSERT INTO jobs.pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'test.run')"
    )
    async with working(database, job):
        assert await seen.get()


async def test_a_job_of_an_unknown_kind_waits_for_a_worker_that_knows_it(
    database: Database, taken: asyncio.Queue[str]
) -> None:
    async def run(_: Work, note: Note) -> None:
        taken.put_nowait(note.text)

    known, unknown = Job("test.known", Note, run), Job("test.unknown", Note, run)
    await order(database, unknown, Note(text="unknown"))
    await order(database, known, Note(text="known"))
    async with working(database, known):
        assert await taken.get() == "known"
    assert [job["entrypoint"] for job in await jobs_of(database)] == ["test.unknown"]


async def test_the_urgent_is_done_before_what_came_earlier(
    database: Database, taken: asyncio.Queue[str]
) -> None:
    finish = asyncio.Event()

    async def run(_: Work, note: Note) -> None:
        taken.put_nowait(note.text)
        await finish.wait()

    calm, urgent = Job("test.calm", Note, run), Job("test.urgent", Note, run, priority=1)
    for _ in range(CONCURRENCY):
        await order(database, calm, Note(text="calm"))
    await order(database, urgent, Note(text="urgent"))
    async with working(database, calm, urgent):
        first = [await taken.get() for _ in range(CONCURRENCY)]
        finish.set()
        assert sorted(first) == ["calm"] * (CONCURRENCY - 1) + ["urgent"]
        assert await taken.get() == "calm"


class TestOnce:
    async def test_a_job_that_runs_twice_has_one_effect(self, database: Database) -> None:
        entered: asyncio.Queue[int] = asyncio.Queue()
        finish = asyncio.Event()

        async def run(work: Work, _: Note) -> None:
            entered.put_nowait(work.id)
            await finish.wait()
            async with work.once() as session:
                await session.execute(EFFECT, {"job_id": str(work.id)})

        job = Job("test.run", Note, run)
        await order(database, job)
        # A beat that comes after it was made stale would make it fresh again.
        async with working(database, job, heartbeat_seconds=SECONDS) as slow:
            await entered.get()
            slow.stop.set()  # so that it takes nothing more
            await execute(database, MAKE_STALE)
            async with working(database, job):
                await entered.get()
                finish.set()
        assert await effects(database) == 1
        assert await jobs_of(database) == []

    async def test_a_job_that_has_had_its_effect_is_not_begun_again(
        self, database: Database, taken: asyncio.Queue[str]
    ) -> None:
        async def run(work: Work, note: Note) -> None:
            taken.put_nowait(note.text)
            async with work.once() as session:
                await session.execute(EFFECT, {"job_id": str(work.id)})
            raise ConnectionError("The news of it is lost.")

        job = Job("test.run", Note, run, first_delay=0.01)
        job_id = await order(database, job)
        async with working(database, job):
            await until_done(database, job_id)
        assert taken.qsize() == 1
        assert await effects(database) == 1
        assert await history(database, job_id) == ["queued", "picked", "queued", "picked", "successful"]

    async def test_an_effect_that_is_rolled_back_is_tried_again(self, database: Database) -> None:
        attempts: list[int] = []

        async def run(work: Work, _: Note) -> None:
            attempts.append(work.id)
            async with work.once() as session:
                await session.execute(EFFECT, {"job_id": str(work.id)})
                if len(attempts) == 1:
                    raise ConnectionError("no")

        job = Job("test.run", Note, run, first_delay=0.01)
        job_id = await order(database, job)
        async with working(database, job):
            await until_done(database, job_id)
        assert len(attempts) == 2
        assert await effects(database) == 1


async def until_ordered(database: Database) -> None:
    """Until no worker has still to say that it has done what the clock told it."""
    query = "SELECT id FROM jobs.pgqueuer_schedules WHERE status = 'picked'"
    while await fetch(database, query):
        await asyncio.sleep(0.05)


class TestSchedule:
    async def test_of_two_workers_one_orders_the_job(
        self, database: Database, taken: asyncio.Queue[str]
    ) -> None:
        async def run(_: Work, __: Nothing) -> None:
            taken.put_nowait("run")

        schedule = [Recurring("0 0 1 1 *", Job("test.yearly", Nothing, run))]
        await execute(
            database,
            "INSERT INTO jobs.pgqueuer_schedules (expression, entrypoint, next_run)"
            " VALUES ('0 0 1 1 *', 'test.yearly', now())",
        )
        jobs = [recurring.job for recurring in schedule]
        async with working(database, *jobs, schedule=schedule), working(database, *jobs, schedule=schedule):
            await taken.get()
        (ordered,) = await fetch(database, "SELECT count(*) FROM jobs.pgqueuer_log WHERE status = 'queued'")
        assert ordered["count"] == 1
        (next_,) = await fetch(database, "SELECT next_run > now() AS is_ahead FROM jobs.pgqueuer_schedules")
        assert next_["is_ahead"]

    async def test_a_worker_that_dies_once_it_has_ordered_the_job_has_it_ordered_no_second_time(
        self, database: Database, taken: asyncio.Queue[str]
    ) -> None:
        async def run(_: Work, __: Nothing) -> None:
            taken.put_nowait("run")
            await done.wait()

        done = asyncio.Event()
        recurring = Recurring("0 0 1 1 *", Job("test.yearly", Nothing, run))
        await execute(
            database,
            "INSERT INTO jobs.pgqueuer_schedules (expression, entrypoint, next_run)"
            " VALUES ('0 0 1 1 *', 'test.yearly', now())",
        )
        async with working(database, recurring.job, schedule=[recurring]):
            await taken.get()
            await until_ordered(database)
            await execute(
                database,
                "UPDATE jobs.pgqueuer_schedules SET status = 'picked', heartbeat = now() - interval '1 hour'",
            )
            async with working(database, recurring.job, schedule=[recurring]):
                await until_ordered(database)
            ordered = await jobs_of(database)
            done.set()
        assert len(ordered) == 1

    @pytest.mark.slow
    async def test_the_clock_orders_again_and_again(
        self, database: Database, taken: asyncio.Queue[str]
    ) -> None:
        async def run(_: Work, __: Nothing) -> None:
            taken.put_nowait(current_request().request_id)

        recurring = Recurring("* * * * * *", Job("test.secondly", Nothing, run))
        async with working(database, recurring.job, schedule=[recurring]):
            assert await taken.get() != await taken.get()


@pytest.mark.parametrize(("attempts", "longest"), [(0, 1), (3, 8), (13, 8192), (14, 14400), (5000, 14400)])
def test_pauses_grow_at_random_up_to_a_limit(attempts: int, longest: float) -> None:
    pauses = [backoff(1, attempts) for _ in range(200)]
    assert longest / 2 < max(pauses) <= longest
    assert min(pauses) < longest / 2
