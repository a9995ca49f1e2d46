"""The loop that takes jobs from the queue and carries them out."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

import structlog
from pgqueuer import Job as QueuedJob
from pgqueuer import PgQueuer
from pgqueuer.domain.models import Schedule

from glasswork.core.attempts import Attempts, Executor
from glasswork.core.db import Database
from glasswork.core.errors import AppError
from glasswork.core.jobs import NO_TRACER, Job, Nothing, next_runs, queries, queue_state
from glasswork.core.outbox import Outbox
from glasswork.core.queue_connections import PoolDriver, open_pool
from glasswork.core.tasks import first
from glasswork.core.telemetry.context import begin_request, new_request_id
from glasswork.core.telemetry.jobs import JobSignals
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.signals import Signals

log = structlog.get_logger()

HEARTBEAT_SECONDS = 30.0
"""After so long without one the worker of a job counts as dead, and another one takes the job.

A tenth of it is how long a lost notification can delay a job.
"""
CONCURRENCY = 20
QUEUE_WATCH_SECONDS = 10


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
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        signals: Signals | None = None,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._schedule = schedule
        self._finish_seconds = finish_seconds
        self._heartbeat = timedelta(seconds=heartbeat_seconds)
        self._metrics = signals.metrics if signals else Metrics()
        told = JobSignals(
            self._metrics, signals.tracer if signals else NO_TRACER, signals.recorder if signals else None
        )
        self._attempts = Attempts(database, resources, told)
        self.looked_at: float | None = None
        """When it last looked for jobs, by the monotonic clock."""
        self.stop = asyncio.Event()

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
        told = None
        while not self.stop.is_set():
            try:
                await self._run()
            except Exception as error:
                # Every second the same, while the database is away: where it was raised is told once.
                failure = type(error), self.looked_at
                log.exception("worker.failed", error_type=type(error).__qualname__, exc_info=failure != told)
                told = failure
                await first(self.stop.wait(), asyncio.sleep(1))
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
            executor = partial(Executor, attempts=self._attempts, job=job)
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
        self._attempts.out_of_time.set()
