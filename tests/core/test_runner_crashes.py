import asyncio
from collections.abc import AsyncIterator

import pytest

from glasswork.core import attempts
from glasswork.core.attempts import MAX_CRASHES
from glasswork.core.db import Database
from glasswork.core.jobs import Job, Work, requeue
from tests.core.runners import (
    HELLO,
    MAKE_STALE,
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

CRASH = """
    INSERT INTO jobs.pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, 'picked', entrypoint, priority FROM jobs.pgqueuer, generate_series(1, :times)
"""


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    async with open_clone(server) as database:
        yield database


async def error_of(database: Database, job_id: int) -> dict[str, str]:
    """Return what the log tells of a dead job's last attempt."""
    query = "SELECT traceback FROM jobs.pgqueuer_log WHERE job_id = :id AND status = 'failed'"
    (row,) = await fetch(database, query, id=job_id)
    error: dict[str, str] = row["traceback"]
    return error


class Attempts:
    """A job's function that fails as often as it is told to, and then does what it should."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.begun: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self, _: Work, __: Note) -> None:
        self.begun.put_nowait(None)
        if self.errors:
            raise self.errors.pop(0)


class TestErrors:
    @pytest.mark.parametrize(
        "error",
        [ConnectionError("no"), TimeoutError(), asyncio.CancelledError(), ExceptionGroup("all", [OSError()])],
        ids=repr,
    )
    async def test_an_error_is_tried_again(self, database: Database, error: BaseException) -> None:
        attempts = Attempts(error, error)
        job = Job("test.run", Note, attempts, first_delay=0.01)
        job_id = await order(database, job)
        async with working(database, job):
            await until_done(database, job_id)
        assert attempts.begun.qsize() == 3
        assert await history(database, job_id) == ["queued", "picked"] * 3 + ["successful"]

    async def test_after_the_last_attempt_the_job_lies_there_with_its_error(self, database: Database) -> None:
        attempts = Attempts(*(ConnectionError(f"no {number}") for number in range(2)))
        job = Job("test.run", Note, attempts, max_attempts=2, first_delay=0.01)
        job_id = await order(database, job)
        async with working(database, job):
            await attempts.begun.get()
            await attempts.begun.get()
        assert await jobs_of(database) == [
            {"id": job_id, "entrypoint": "test.run", "status": "failed", "attempts": 1}
        ]
        error = await error_of(database, job_id)
        assert (error["exception_type"], error["exception_message"]) == ("ConnectionError", "no 1")
        assert "in __call__" in error["traceback"]

    @pytest.mark.parametrize("crashes", [0, MAX_CRASHES])
    async def test_whoever_waits_for_a_job_that_is_given_up_is_told(
        self, database: Database, crashes: int
    ) -> None:
        told: list[str] = []
        telling = asyncio.Event()

        async def tell(_: Work, note: Note) -> None:
            told.append(note.text)
            telling.set()

        job = Job("test.run", Note, Attempts(ConnectionError("no")), max_attempts=1, on_dead=tell)
        job_id = await order(database, job)
        await execute(database, CRASH, times=crashes)
        async with working(database, job):
            await telling.wait()
        assert told == [HELLO.text]
        assert [(row["id"], row["status"]) for row in await jobs_of(database)] == [(job_id, "failed")]

    @pytest.mark.parametrize(
        "error", [ConnectionError("away"), TimeoutError(), asyncio.CancelledError()], ids=repr
    )
    async def test_whoever_cannot_be_told_of_it_now_is_told_later(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, error: BaseException
    ) -> None:
        monkeypatch.setattr(attempts, "GIVE_UP_AGAIN_SECONDS", 0.01)
        telling = Attempts(error)
        job = Job("test.run", Note, Attempts(*[OSError()] * 9), max_attempts=1, on_dead=telling)
        job_id = await order(database, job)
        async with working(database, job):
            await telling.begun.get()
            await telling.begun.get()
        assert (await history(database, job_id))[-1] == "failed"

    async def test_who_is_told_of_it_when_the_worker_is_stopped_is_told_by_the_next_one(
        self, database: Database
    ) -> None:
        telling: asyncio.Queue[None] = asyncio.Queue()

        async def tell(_: Work, __: Note) -> None:
            telling.put_nowait(None)
            if not stopped:
                await asyncio.Event().wait()

        stopped = False
        job = Job("test.run", Note, Attempts(*[OSError()] * 9), max_attempts=1, on_dead=tell)
        job_id = await order(database, job)
        async with working(database, job, finish_seconds=0.01):
            await telling.get()
        assert [(row["id"], row["status"]) for row in await jobs_of(database)] == [(job_id, "queued")]
        stopped = True
        async with working(database, job):
            await telling.get()
        assert (await history(database, job_id))[-1] == "failed"

    async def test_a_job_that_is_cancelled_from_within_dies_like_any_other(self, database: Database) -> None:
        attempts = Attempts(asyncio.CancelledError())
        job = Job("test.run", Note, attempts, max_attempts=1)
        await order(database, job)
        async with working(database, job):
            await attempts.begun.get()
        assert [row["status"] for row in await jobs_of(database)] == ["failed"]

    async def test_a_dead_job_that_is_put_back_has_all_its_attempts(self, database: Database) -> None:
        attempts = Attempts(*(ConnectionError("no") for _ in range(MAX_CRASHES + 3)))
        job = Job("test.run", Note, attempts, max_attempts=MAX_CRASHES + 2, first_delay=0.001)
        job_id = await order(database, job)
        async with working(database, job):
            for _ in range(MAX_CRASHES + 2):
                await attempts.begun.get()
        async with database.transaction() as session:
            await requeue(session, job_id)
        async with working(database, job):
            await until_done(database, job_id)
        assert attempts.begun.qsize() == 2

    async def test_an_unfit_payload_is_dead_at_once(self, database: Database) -> None:
        attempts = Attempts()
        job_id = await order(database, Job("test.run", Note, attempts), HELLO)
        await execute(database, "UPDATE jobs.pgqueuer SET payload = convert_to('{\"word\": 1}', 'UTF8')")
        job = Job("test.run", Note, attempts)
        async with working(database, job), working(database, job):
            after = await order(database, job)
            await until_done(database, after)
        assert attempts.begun.qsize() == 1
        assert [(row["id"], row["status"]) for row in await jobs_of(database)] == [(job_id, "failed")]
        error = await error_of(database, job_id)
        assert error["exception_type"] == "UnfitPayloadError"
        assert "Field required" in error["traceback"]

    async def test_what_does_not_validate_inside_a_job_is_tried_again(self, database: Database) -> None:
        begun: list[int] = []

        async def run(work: Work, _: Note) -> None:
            begun.append(work.id)
            if len(begun) == 1:
                Note.model_validate({"an": "answer of another service"})

        job = Job("test.run", Note, run, first_delay=0.01)
        job_id = await order(database, job)
        async with working(database, job):
            await until_done(database, job_id)
        assert len(begun) == 2

    async def test_a_job_that_takes_too_long_is_cancelled_and_tried_again(self, database: Database) -> None:
        ended: list[str] = []

        async def run(_: Work, __: Note) -> None:
            try:
                if not ended:
                    await asyncio.Event().wait()
            finally:
                ended.append("so")

        job = Job("test.run", Note, run, seconds=0.05, first_delay=0.01)
        job_id = await order(database, job)
        async with working(database, job):
            await until_done(database, job_id)
        assert len(ended) == 2


class TestCrashes:
    async def test_a_job_that_kills_its_workers_is_dead(self, database: Database) -> None:
        attempts = Attempts()
        job = Job("test.run", Note, attempts)
        job_id = await order(database, job)
        await execute(database, CRASH, times=MAX_CRASHES)
        async with working(database, job):
            await until_done(database, await order(database, job))
        assert attempts.begun.qsize() == 1
        assert [(row["id"], row["status"]) for row in await jobs_of(database)] == [(job_id, "failed")]
        assert (await error_of(database, job_id))["exception_type"] == "PoisonedJobError"

    async def test_a_job_that_has_survived_fewer_crashes_is_done(self, database: Database) -> None:
        job = Job("test.run", Note, Attempts())
        job_id = await order(database, job)
        await execute(database, CRASH, times=MAX_CRASHES - 1)
        async with working(database, job):
            await until_done(database, job_id)

    async def test_proper_attempts_are_no_crashes(self, database: Database) -> None:
        attempts = Attempts(*(ConnectionError("no") for _ in range(MAX_CRASHES + 2)))
        job = Job("test.run", Note, attempts, first_delay=0.001)
        job_id = await order(database, job)
        async with working(database, job):
            await until_done(database, job_id)
        assert attempts.begun.qsize() == MAX_CRASHES + 3

    async def test_the_job_of_a_dead_worker_is_taken_by_another_one(self, database: Database) -> None:
        job = Job("test.run", Note, Attempts())
        job_id = await order(database, job)
        await execute(database, CRASH, times=1)
        await execute(database, f"{MAKE_STALE}, status = 'picked', queue_manager_id = gen_random_uuid()")
        async with working(database, job):
            await until_done(database, job_id)
