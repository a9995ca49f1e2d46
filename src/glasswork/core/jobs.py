"""Work that is done after the commit, at least once, by whichever worker is there.

A job is stored in the transaction that makes it necessary, through that transaction's own connection.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

import asyncpg
from opentelemetry.propagate import inject
from opentelemetry.trace import NoOpTracer, SpanKind, Tracer
from opentelemetry.util.types import AttributeValue
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job as QueuedJob
from pgqueuer.domain.models import TracebackRecord
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import JobId
from pgqueuer.ports.driver import Driver
from pydantic import BaseModel
from sqlalchemy import BigInteger, func, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.database_errors import LOST
from glasswork.core.events import Fields
from glasswork.core.models import Base
from glasswork.core.processes import A, R, run_in_child
from glasswork.core.telemetry.context import current_request
from glasswork.core.telemetry.jobs import MESSAGING

SCHEMA = "jobs"

NO_TRACER = NoOpTracer()

_names = DBSettings(db_schema=SCHEMA)

P = TypeVar("P", bound=BaseModel)
"""What a job must know."""


@dataclass(frozen=True, slots=True)
class Job(Generic[P]):
    """A kind of work. Its function must bear to be called twice: `Work.once` helps."""

    name: str
    payload: type[P]
    run: Callable[["Work", P], Awaitable[None]]
    max_attempts: int = 10
    seconds: float = 60
    priority: int = 0
    first_delay: float = 1
    """Seconds, at most, until the second attempt; twice as long until each later one."""
    on_dead: Callable[["Work", P], Awaitable[None]] | None = None
    """Called when it is given up, for whoever waits for it; it must bear to be called twice, too."""
    concerns: Callable[[Fields | None, Fields | None], bool] | None = None
    """Whether an event with this before and after is followed at all; None: each is."""


@dataclass(frozen=True, slots=True)
class Order:
    """A job to be done; of several with the same key one is stored, until it is done."""

    job: Job[Any]
    payload: BaseModel
    dedupe_key: str | None = None
    delay: timedelta | None = None
    """How long it waits at least."""


class EventRef(BaseModel):
    """What a job that follows an event is told."""

    id: UUID
    workspace_id: UUID | None
    subject_id: UUID


class Nothing(BaseModel):
    """What a job knows that the clock has ordered."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a job is given: how to reach the world, and its own identity."""

    id: int
    resources: Any
    once: Callable[[], AbstractAsyncContextManager[AsyncSession]]

    async def in_child_process(self, function: Callable[[*A], R], *arguments: *A) -> R:
        """Compute beside the event loop, as `run_in_child` does; waiting for a CPU takes of `seconds`."""
        return await run_in_child(function, *arguments)


class DoneJob(Base):
    """A job whose effect is committed: a worker that died just after will not repeat it."""

    __tablename__ = "done_jobs"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    done_at: Mapped[datetime] = mapped_column(server_default=func.now())


class _SessionDriver:
    """The part of pgqueuer's driver that is needed here, inside the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def fetch(self, query: str, *arguments: object) -> list[dict[str, object]]:
        # Not on the driver's own connection: before the session's first statement no transaction is
        # open there, and the job would be stored whatever becomes of the rest.
        connection = await self._session.connection()
        rows = (await connection.exec_driver_sql(query, tuple(arguments))).mappings()
        return [dict(row) for row in rows]

    async def execute(self, query: str, *arguments: object) -> str:
        connection = await self._session.connection()
        return str((await connection.exec_driver_sql(query, tuple(arguments))).rowcount)


def _unnoticed() -> None:
    pass


@dataclass
class _Queries(Queries):
    on_look: Callable[[], None] = _unnoticed

    async def dequeue(self, *arguments: Any, **options: Any) -> list[QueuedJob]:
        jobs = await super().dequeue(*arguments, **options)
        self.on_look()
        return jobs

    async def retry_job(
        self, job: QueuedJob, delay: timedelta, traceback_record: TracebackRecord | None
    ) -> None:
        """Without a database the job stays where it is: its heartbeat stops, and it is taken once more.

        Pgqueuer would take the error for the job's own, and the job for dead.
        """
        with suppress(OSError, asyncpg.PostgresError, *LOST):
            await super().retry_job(job, delay, traceback_record)


def queries(driver: Driver, on_look: Callable[[], None] = _unnoticed) -> Queries:
    """Speak to the queue; `on_look` is called each time that somebody has looked for jobs in it."""
    return _Queries(
        driver,
        qbe=QueryBuilderEnvironment(settings=_names),
        qbq=QueryQueueBuilder(settings=_names),
        qbs=QuerySchedulerBuilder(settings=_names),
        on_look=on_look,
    )


async def store_orders(session: AsyncSession, orders: Sequence[Order], tracer: Tracer = NO_TRACER) -> None:
    """One statement, however many they are."""
    request = current_request()
    request.jobs_ordered += len(orders)
    names = {order.job.name for order in orders}
    destination = names.pop() if len(names) == 1 else "jobs"
    sent: dict[str, AttributeValue] = {
        **MESSAGING,
        "messaging.destination.name": destination,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.batch.message_count": len(orders),
    }
    with tracer.start_as_current_span(f"send {destination}", kind=SpanKind.PRODUCER, attributes=sent):
        await _store_orders(session, orders, request.request_id)


async def _store_orders(session: AsyncSession, orders: Sequence[Order], request_id: str) -> None:
    headers: dict[str, str] = {"request_id": request_id}
    inject(headers)
    payloads: list[bytes | None] = [order.payload.model_dump_json().encode() for order in orders]
    all_headers: list[dict[str, str] | None] = [headers] * len(orders)
    await queries(cast(Driver, _SessionDriver(session))).enqueue(
        [order.job.name for order in orders],
        payloads,
        [order.job.priority for order in orders],
        [order.delay for order in orders],
        dedupe_key=[order.dedupe_key for order in orders],
        headers=all_headers,
        on_conflict="skip",
    )


_STATE = text(f"""
    SELECT count(*) FILTER (WHERE status = 'queued' AND attempts = 0) AS waiting,
        count(*) FILTER (WHERE status = 'queued' AND attempts > 0) AS retrying,
        count(*) FILTER (WHERE status = 'picked') AS running,
        count(*) FILTER (WHERE status = 'failed') AS dead,
        coalesce(
            extract(epoch FROM max(now() - execute_after) FILTER (WHERE status = 'queued')), 0
        )::float AS oldest_seconds
    FROM {SCHEMA}.pgqueuer
""")  # noqa: S608 (our own words)


async def queue_state(session: AsyncSession) -> dict[str, float]:
    """Return the number of jobs in each state, and `oldest_seconds`, negative where none may run yet."""
    return dict((await session.execute(_STATE)).mappings().one())


_NEXT_RUNS = text(f"""
    SELECT entrypoint, expression, extract(epoch FROM next_run)::float AS next_run
    FROM {SCHEMA}.pgqueuer_schedules
""")  # noqa: S608 (our own words)


async def next_runs(session: AsyncSession) -> dict[tuple[str, str], float]:
    """Return when the clock orders each job next, by name and cron expression; old versions' too."""
    rows = await session.execute(_NEXT_RUNS)
    return {(row.entrypoint, row.expression): row.next_run for row in rows}


async def requeue(session: AsyncSession, job_id: int) -> None:
    """Put a dead job back; its attempts are counted anew."""
    await queries(cast(Driver, _SessionDriver(session))).requeue_jobs([JobId(job_id)])
