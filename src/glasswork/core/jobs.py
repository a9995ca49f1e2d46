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
from sqlalchemy import BigInteger, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base
from glasswork.core.processes import A, R, run_in_child
from glasswork.core.telemetry.context import current_request

SCHEMA = "jobs"

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


@dataclass(frozen=True, slots=True)
class Order:
    """A job to be done; of several with the same key one is stored, until it is done."""

    job: Job[Any]
    payload: BaseModel
    dedupe_key: str | None = None


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


class _Queries(Queries):
    async def retry_job(
        self, job: QueuedJob, delay: timedelta, traceback_record: TracebackRecord | None
    ) -> None:
        """Without a database the job stays where it is: its heartbeat stops, and it is taken once more.

        Pgqueuer would take the error for the job's own, and the job for dead.
        """
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await super().retry_job(job, delay, traceback_record)


def queries(driver: Driver) -> Queries:
    return _Queries(
        driver,
        qbe=QueryBuilderEnvironment(settings=_names),
        qbq=QueryQueueBuilder(settings=_names),
        qbs=QuerySchedulerBuilder(settings=_names),
    )


async def store_orders(session: AsyncSession, orders: Sequence[Order]) -> None:
    """One statement, however many they are."""
    headers: dict[str, str] = {"request_id": current_request().request_id}
    inject(headers)
    payloads: list[bytes | None] = [order.payload.model_dump_json().encode() for order in orders]
    all_headers: list[dict[str, str] | None] = [headers] * len(orders)
    await queries(cast(Driver, _SessionDriver(session))).enqueue(
        [order.job.name for order in orders],
        payloads,
        [order.job.priority for order in orders],
        dedupe_key=[order.dedupe_key for order in orders],
        headers=all_headers,
        on_conflict="skip",
    )


async def requeue(session: AsyncSession, job_id: int) -> None:
    """Put a dead job back; its attempts are counted anew."""
    await queries(cast(Driver, _SessionDriver(session))).requeue_jobs([JobId(job_id)])
