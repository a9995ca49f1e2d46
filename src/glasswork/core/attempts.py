"""One attempt at a job, and what becomes of it: done, again later, given back, or dead."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from pgqueuer import Job as QueuedJob
from pgqueuer import RetryRequested
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.domain.models import Context
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.db import Database
from glasswork.core.jobs import SCHEMA, Job, Work
from glasswork.core.tasks import first
from glasswork.core.telemetry.jobs import Attempt, JobSignals

MAX_CRASHES = 3
"""A job that was taken so often without an end is killing its workers."""
GIVE_UP_AGAIN_SECONDS = 60.0

_LONGEST_DELAY = 4 * 3600.0

_MARK_DONE = text("INSERT INTO done_jobs (job_id) VALUES (:job_id) ON CONFLICT DO NOTHING RETURNING job_id")
# Each end of an attempt but the last puts the job back into the queue; so does a person, later.
_PAST = text(f"""
    SELECT count(*) - 1 AS crashes, EXISTS (SELECT FROM done_jobs WHERE job_id = :job_id) AS is_done
    FROM {SCHEMA}.pgqueuer_log
    WHERE job_id = :job_id AND status = 'picked'
        AND id > (SELECT max(id) FROM {SCHEMA}.pgqueuer_log WHERE job_id = :job_id AND status = 'queued')
""")  # noqa: S608 (our own words)


class PoisonedJobError(Exception):
    """Its workers died of it, one after the other."""


class UnfitPayloadError(Exception):
    """The payload is not what the function takes; no further attempt can change that."""


class CancelledFromWithinError(Exception):
    """Something that the job waited for was cancelled; the job was not."""


class _DoneAlreadyError(Exception):
    """The job has had its effect; only the news of it was lost."""


class Attempts:
    """Carries out the functions of jobs."""

    def __init__(self, database: Database, resources: Any, signals: JobSignals) -> None:
        self._database = database
        self._resources = resources
        self.signals = signals
        self.out_of_time = asyncio.Event()
        """The worker is stopped, and what still runs is given back."""

    async def make(self, job: Job[Any], queued: QueuedJob) -> None:
        """Run the job's function; raise what it raises, TimeoutError after its time limit."""
        crashes, is_done = await self._past(queued.id)
        if is_done:
            return
        if crashes >= MAX_CRASHES:
            raise PoisonedJobError(f"{MAX_CRASHES} workers died of it")
        try:
            payload = job.payload.model_validate_json(queued.payload or b"{}")
        except ValidationError as error:
            raise UnfitPayloadError(f"{job.name} takes another payload") from error
        await _in_time(job, job.run(self._work(queued), payload))

    async def give_up(self, job: Job[Any], queued: QueuedJob) -> None:
        """Tell whoever waits for the job; raise what that raises, TimeoutError after the job's time limit."""
        if job.on_dead is not None:
            payload = job.payload.model_validate_json(queued.payload or b"{}")
            await _in_time(job, job.on_dead(self._work(queued), payload))

    def _work(self, queued: QueuedJob) -> Work:
        return Work(id=queued.id, resources=self._resources, once=lambda: self._once(queued.id))

    @asynccontextmanager
    async def _once(self, job_id: int) -> AsyncIterator[AsyncSession]:
        """A transaction that is committed for a job a single time, however often the job runs."""
        async with self._database.transaction() as session:
            if not (await session.execute(_MARK_DONE, {"job_id": job_id})).first():
                raise _DoneAlreadyError
            yield session

    async def _past(self, job_id: int) -> tuple[int, bool]:
        """How often in a row the job was taken without an end, and whether it has had its effect."""
        async with self._database.reading() as session:
            row = (await session.execute(_PAST, {"job_id": job_id})).one()
        return row.crashes, row.is_done


class Executor(AbstractEntrypointExecutor):
    """Decides what becomes of an attempt: done, again later, given back, or dead."""

    def __init__(self, parameters: EntrypointExecutorParameters, attempts: Attempts, job: Job[Any]) -> None:
        super().__init__(parameters)
        self._attempts = attempts
        self._job = job

    async def execute(self, job: QueuedJob, context: Context) -> None:  # noqa: ARG002
        attempt = Attempt(
            job=self._job.name,
            job_id=job.id,
            number=job.attempts + 1,
            ordered_at=job.created,
            due_at=job.execute_after,
            headers=job.headers or {},
        )
        with self._attempts.signals.watch(attempt):
            await self._execute(job, attempt)

    async def _execute(self, job: QueuedJob, told: Attempt) -> None:
        error = await self._error_of(self._attempts.make(self._job, job))
        if error is None or isinstance(error, _DoneAlreadyError):
            told.outcome = "ok"
            return
        told.error = error
        is_last = job.attempts + 1 >= self._job.max_attempts
        if is_last or isinstance(error, UnfitPayloadError | PoisonedJobError):
            if not isinstance(error, UnfitPayloadError):
                await self._give_up(job, told)
            told.outcome = "dead"
            raise error
        told.outcome, told.delay = "retry", backoff(self._job.first_delay, job.attempts)
        raise RetryRequested(timedelta(seconds=told.delay), repr(error)) from error

    async def _give_up(self, job: QueuedJob, told: Attempt) -> None:
        """Who cannot be told now is told later."""
        error = await self._error_of(self._attempts.give_up(self._job, job))
        if error is not None:
            told.outcome, told.delay = "retry", GIVE_UP_AGAIN_SECONDS
            raise RetryRequested(timedelta(seconds=told.delay), repr(error)) from error

    async def _error_of(self, doing: Coroutine[Any, Any, None]) -> BaseException | None:
        """None: it is done; raise RetryRequested where the worker is stopped before that.

        Who cancels this stops the worker; pgqueuer would take the job for cancelled, and delete it.
        """
        task = asyncio.create_task(doing)
        with suppress(asyncio.CancelledError):
            await first(asyncio.wait({task}), self._attempts.out_of_time.wait())
        task.cancel()
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if task.cancelled():
            raise RetryRequested(timedelta(0), "The worker was stopped.")
        return task.exception()


def backoff(first: float, attempts: int) -> float:
    """Seconds until the next attempt: exponential, with full jitter, so that they don't come in step."""
    longest = min(_LONGEST_DELAY, first * 2**attempts)
    return random.uniform(0, longest)  # noqa: S311 (no secret)


async def _in_time(job: Job[Any], doing: Awaitable[None]) -> None:
    """Raise what it raises, and CancelledError only where this task is cancelled itself."""
    try:
        async with asyncio.timeout(job.seconds):
            await doing
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        raise CancelledFromWithinError from error


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
