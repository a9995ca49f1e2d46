"""The loop that takes jobs from the queue and carries them out."""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import structlog
from pgqueuer import AsyncpgPoolDriver, PgQueuer, RetryRequested
from pgqueuer import Job as QueuedJob
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.domain.models import Context, Schedule
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.db import Database
from glasswork.core.jobs import SCHEMA, Job, Nothing, Work, queries
from glasswork.core.outbox import Outbox
from glasswork.core.telemetry.context import begin_request, new_request_id

log = structlog.get_logger()

POLL = timedelta(seconds=3)
"""How long a lost notification can delay a job."""
HEARTBEAT = timedelta(seconds=30)
"""After so long without one the worker of a job counts as dead, and another one takes the job."""
MAX_CRASHES = 3
"""A job that was taken so often without an end is killing its workers."""
CONCURRENCY = 20

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 4 * 3600.0


_MARK_DONE = text("INSERT INTO done_jobs (job_id) VALUES (:job_id) ON CONFLICT DO NOTHING RETURNING job_id")
# Since it was put back, if it was ever dead.
_COUNT_TAKEN = text(f"""
    SELECT count(*) FROM {SCHEMA}.pgqueuer_log
    WHERE job_id = :job_id AND status = 'picked' AND id > COALESCE(
        (SELECT max(id) FROM {SCHEMA}.pgqueuer_log WHERE job_id = :job_id AND status = 'failed'), 0)
""")  # noqa: S608 (our own words)


class PoisonedJobError(Exception):
    """Its workers died of it, one after the other."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """A job that is ordered by the clock (UTC), once however many workers there are."""

    cron: str
    job: Job[Nothing]


class Runner:
    def __init__(
        self,
        database: Database,
        jobs: Sequence[Job[Any]],
        schedule: Sequence[Recurring],
        resources: Any,
        finish_seconds: float,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._schedule = schedule
        self._resources = resources
        self._finish_seconds = finish_seconds
        self.stop = asyncio.Event()
        self.out_of_time = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop` is set; what still runs `finish_seconds` later is given back.

        A database that goes away is waited for.
        """
        while not self.stop.is_set():
            try:
                await self._run()
            except Exception:
                log.exception("worker.failed")
                await _first(self.stop.wait(), asyncio.sleep(1))

    async def _run(self) -> None:
        url = self._database.engine.url.set(drivername="postgresql")
        dsn = url.render_as_string(hide_password=False)
        async with asyncpg.create_pool(dsn, min_size=2, max_size=4, timeout=5) as pool:
            driver = AsyncpgPoolDriver(pool)
            queuer = PgQueuer(driver, queries=queries(driver))
            self._register(queuer)
            stopping = asyncio.create_task(self._pass_on_stop(queuer))
            try:
                await queuer.run(
                    dequeue_timeout=POLL,
                    heartbeat_timeout=HEARTBEAT,
                    max_concurrent_tasks=CONCURRENCY,
                    shutdown_on_listener_failure=True,
                )
            finally:
                stopping.cancel()

    def _register(self, queuer: PgQueuer) -> None:
        async def unused(_: QueuedJob) -> None:
            """Pgqueuer wants a function; the executor has the job."""

        for job in self._jobs:
            executor = partial(_Executor, runner=self, job=job)
            queuer.entrypoint(job.name, on_failure="hold", executor_factory=executor)(unused)
        for recurring in self._schedule:
            queuer.schedule(recurring.job.name, recurring.cron)(self._order(recurring))

    def _order(self, recurring: Recurring) -> Any:
        async def order(schedule: Schedule) -> None:
            async with self._database.transaction() as session:
                key = f"{recurring.job.name}@{schedule.next_run.isoformat()}"
                Outbox(session).order(recurring.job, Nothing(), dedupe_key=key)

        return order

    async def _pass_on_stop(self, queuer: PgQueuer) -> None:
        await self.stop.wait()
        queuer.shutdown.set()
        await asyncio.sleep(self._finish_seconds)
        self.out_of_time.set()

    async def attempt(self, job: Job[Any], queued: QueuedJob) -> None:
        """Run the job's function; raise what it raises, TimeoutError after its time limit."""
        headers = queued.headers or {}
        begin_request(str(headers.get("request_id") or new_request_id()))
        if await self._crashes(queued) >= MAX_CRASHES:
            raise PoisonedJobError(f"{MAX_CRASHES} workers died of it")
        payload = job.payload.model_validate_json(queued.payload or b"{}")
        work = Work(id=queued.id, resources=self._resources, once=lambda: self._once(queued.id))
        async with asyncio.timeout(job.seconds):
            await job.run(work, payload)

    @asynccontextmanager
    async def _once(self, job_id: int) -> AsyncIterator[AsyncSession]:
        """A transaction that is committed for a job a single time, however often the job runs."""
        async with self._database.transaction() as session:
            if not (await session.execute(_MARK_DONE, {"job_id": job_id})).first():
                raise _DoneAlreadyError
            yield session

    async def _crashes(self, queued: QueuedJob) -> int:
        """How often the job was taken without an end: what is left after its proper attempts."""
        async with self._database.reading() as session:
            taken = (await session.execute(_COUNT_TAKEN, {"job_id": queued.id})).scalar_one()
        return max(0, int(taken) - queued.attempts - 1)


class _DoneAlreadyError(Exception):
    """The job has had its effect; only the news of it was lost."""


class _Executor(AbstractEntrypointExecutor):
    """Decides what becomes of an attempt: done, again later, given back, or dead."""

    def __init__(self, parameters: EntrypointExecutorParameters, runner: Runner, job: Job[Any]) -> None:
        super().__init__(parameters)
        self._runner = runner
        self._job = job

    async def execute(self, job: QueuedJob, context: Context) -> None:  # noqa: ARG002
        attempt = asyncio.create_task(self._runner.attempt(self._job, job))
        await _first(asyncio.wait({attempt}), self._runner.out_of_time.wait())
        if not attempt.done():
            attempt.cancel()
            await asyncio.wait({attempt})
            raise RetryRequested(timedelta(0), "The worker was stopped.")
        error = attempt.exception()
        if error is None or isinstance(error, _DoneAlreadyError):
            return
        is_last = job.attempts + 1 >= self._job.max_attempts
        if is_last or isinstance(error, ValidationError | PoisonedJobError):
            log.error("job.dead", job=self._job.name, job_id=job.id, exc_info=error)
            raise error
        delay = backoff(job.attempts)
        log.warning("job.retried", job=self._job.name, job_id=job.id, delay=delay, error=repr(error))
        raise RetryRequested(timedelta(seconds=delay), repr(error)) from error


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: exponential, with full jitter, so that they don't come in step."""
    longest = min(_LONGEST_DELAY, _FIRST_DELAY * 2**attempts)
    return random.uniform(0, longest)  # noqa: S311 (no secret)


async def _first(*awaitables: Coroutine[Any, Any, Any]) -> None:
    """Wait for one of them, and cancel the others."""
    tasks = {asyncio.ensure_future(awaitable) for awaitable in awaitables}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
