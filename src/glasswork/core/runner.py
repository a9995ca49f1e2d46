"""The loop that takes jobs from the queue and carries them out."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

import asyncpg
import structlog
from pgqueuer import AsyncpgPoolDriver, PgQueuer, RetryRequested
from pgqueuer import Job as QueuedJob
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.domain.models import Context, Schedule
from pgqueuer.ports.driver import NotifyCallback
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.connection_settings import SERVER_SETTINGS
from glasswork.core.db import ANSWER_SECONDS, CONNECT_SECONDS, Database
from glasswork.core.errors import AppError
from glasswork.core.jobs import NO_TRACER, SCHEMA, Job, Nothing, Work, next_runs, queries, queue_state
from glasswork.core.outbox import Outbox
from glasswork.core.telemetry.context import begin_request, new_request_id
from glasswork.core.telemetry.jobs import Attempt, JobSignals
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.signals import Signals

log = structlog.get_logger()

HEARTBEAT_SECONDS = 30.0
"""After so long without one the worker of a job counts as dead, and another one takes the job.

A tenth of it is how long a lost notification can delay a job.
"""
MAX_CRASHES = 3
"""A job that was taken so often without an end is killing its workers."""
GIVE_UP_AGAIN_SECONDS = 60.0
CONCURRENCY = 20
QUEUE_WATCH_SECONDS = 10
POOL_CLOSE_SECONDS = 1

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


@dataclass(frozen=True, slots=True)
class Recurring:
    """A job that is ordered by the clock (UTC), once however many workers there are."""

    cron: str
    job: Job[Nothing]


class PoolDriver(AsyncpgPoolDriver):
    """Notifies nobody before it listens itself.

    Pgqueuer checks whether it hears its own notifications, and begins with that before it listens: it would
    wait for the first one in vain, and take the connection for broken 10 s later.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self._listens = asyncio.Event()

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        await super().add_listener(channel, callback)
        self._listens.set()

    async def notify(self, channel: str, payload: str) -> None:
        await self._listens.wait()
        await super().notify(channel, payload)


class Runner:
    def __init__(
        self,
        database: Database,
        jobs: Sequence[Job[Any]],
        schedule: Sequence[Recurring],
        resources: Any,
        finish_seconds: float,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        signals: Signals | None = None,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._schedule = schedule
        self._resources = resources
        self._finish_seconds = finish_seconds
        self._heartbeat = timedelta(seconds=heartbeat_seconds)
        self._metrics = signals.metrics if signals else Metrics()
        self.signals = JobSignals(
            self._metrics, signals.tracer if signals else NO_TRACER, signals.recorder if signals else None
        )
        self.looked_at: float | None = None
        """When it last looked for jobs, by the monotonic clock."""
        self.stop = asyncio.Event()
        self.out_of_time = asyncio.Event()

    @property
    def has_looked(self) -> bool:
        """Whether it has looked for jobs while no other worker could take it for dead."""
        seconds = self._heartbeat.total_seconds()
        return self.looked_at is not None and monotonic() - self.looked_at < seconds

    async def run(self) -> None:
        """Work until `stop` is set; what still runs `finish_seconds` later is given back.

        A database that goes away is waited for.
        """
        watching = asyncio.create_task(self._watch_queue())
        while not self.stop.is_set():
            try:
                await self._run()
            except Exception:
                log.exception("worker.failed")
                await _first(self.stop.wait(), asyncio.sleep(1))
        watching.cancel()

    async def _watch_queue(self) -> None:
        """Tell what waits in the queue and what the clock orders next, for whoever scrapes."""
        while True:
            with suppress(AppError):
                async with self._database.reading() as session:
                    state, runs = await queue_state(session), await next_runs(session)
                self._metrics.job_queue_oldest_age.set(max(0, state.pop("oldest_seconds")))
                for name, count in state.items():
                    self._metrics.job_queue_depth.labels(name).set(count)
                for name, cron in {(each.job.name, each.cron) for each in self._schedule} & runs.keys():
                    self._metrics.schedule_next_run.labels(name).set(runs[name, cron])
            await asyncio.sleep(QUEUE_WATCH_SECONDS)

    async def _run(self) -> None:
        url = self._database.direct_url.set(drivername="postgresql")
        dsn = url.render_as_string(hide_password=False)
        async with open_pool(dsn) as pool:
            driver = PoolDriver(pool)
            queuer = PgQueuer(driver, queries=queries(driver, self._note_look))
            self._register(queuer)
            stopping = asyncio.create_task(self._pass_on_stop(queuer))
            try:
                await queuer.run(
                    dequeue_timeout=self._heartbeat / 10,
                    heartbeat_timeout=self._heartbeat,
                    max_concurrent_tasks=CONCURRENCY,
                    shutdown_on_listener_failure=True,
                )
            finally:
                stopping.cancel()

    def _note_look(self) -> None:
        self.looked_at = monotonic()
        self._metrics.worker_heartbeat.set_to_current_time()

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
            begin_request(new_request_id())
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


class _DoneAlreadyError(Exception):
    """The job has had its effect; only the news of it was lost."""


class _Executor(AbstractEntrypointExecutor):
    """Decides what becomes of an attempt: done, again later, given back, or dead."""

    def __init__(self, parameters: EntrypointExecutorParameters, runner: Runner, job: Job[Any]) -> None:
        super().__init__(parameters)
        self._runner = runner
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
        with self._runner.signals.watch(attempt):
            await self._execute(job, attempt)

    async def _execute(self, job: QueuedJob, told: Attempt) -> None:
        error = await self._error_of(self._runner.attempt(self._job, job))
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
        error = await self._error_of(self._runner.give_up(self._job, job))
        if error is not None:
            told.outcome, told.delay = "retry", GIVE_UP_AGAIN_SECONDS
            raise RetryRequested(timedelta(seconds=told.delay), repr(error)) from error

    async def _error_of(self, doing: Coroutine[Any, Any, None]) -> BaseException | None:
        """None: it is done; raise RetryRequested where the worker is stopped before that.

        Who cancels this stops the worker; pgqueuer would take the job for cancelled, and delete it.
        """
        task = asyncio.create_task(doing)
        with suppress(asyncio.CancelledError):
            await _first(asyncio.wait({task}), self._runner.out_of_time.wait())
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


@asynccontextmanager
async def open_pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool that is closed at the end, whatever was not given back to it.

    When the server dies, a connection may be lost in a moment in which nobody gives it back. The pool's own
    close would wait for it: the worker would never work again, nor stop.
    """
    pool = await asyncpg.create_pool(
        dsn,
        min_size=2,
        max_size=4,
        timeout=CONNECT_SECONDS,
        command_timeout=ANSWER_SECONDS,
        server_settings=SERVER_SETTINGS,
    )
    try:
        yield pool
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(POOL_CLOSE_SECONDS):
                await pool.close()


async def _first(*awaitables: Coroutine[Any, Any, Any]) -> None:
    """Wait for one of them, and cancel the others."""
    tasks = {asyncio.ensure_future(awaitable) for awaitable in awaitables}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


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
