from collections.abc import Sequence
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import BigInteger, DateTime, Integer, Text, case, cast, column, select, table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.filtering import any_of
from glasswork.core.jobs import SCHEMA, requeue
from glasswork.core.paging import Page, SortKey, fetch_page
from glasswork.core.statements import AnyRow

from .errors import JobNotFoundError
from .schemas import JobQuery, JobState

_moment = DateTime(timezone=True)
_queue = table(
    "pgqueuer",
    column("id", BigInteger),
    column("entrypoint", Text),
    column("status", Text),
    column("attempts", Integer),
    column("headers", JSONB),
    column("created", _moment),
    column("execute_after", _moment),
    schema=SCHEMA,
).alias("queue")
_log = table(
    "pgqueuer_log",
    column("id", BigInteger),
    column("job_id", BigInteger),
    column("traceback", JSONB),
    schema=SCHEMA,
).alias("log")

_STATE = case(
    {"queued": JobState.WAITING.value, "failed": JobState.DEAD.value},
    value=cast(_queue.c.status, Text),
    else_=JobState.RUNNING.value,
)
_LAST_ERROR = (
    select(_log.c.traceback["exception_type"].astext + ": " + _log.c.traceback["exception_message"].astext)
    .where(_log.c.job_id == _queue.c.id, _log.c.traceback.is_not(None))
    .order_by(_log.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_JOBS = select(
    _queue.c.id,
    _queue.c.entrypoint.label("name"),
    _STATE.label("state"),
    _queue.c.attempts,
    _queue.c.headers["request_id"].astext.label("request_id"),
    _queue.c.created.label("created_at"),
    _queue.c.execute_after.label("next_attempt_at"),
    _LAST_ERROR.label("error"),
)
_SORT_KEYS = {"created_at": SortKey.of(_queue.c.created, AwareDatetime)}


class JobRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, job_id: int) -> AnyRow:
        row: Any = (await self._session.execute(_JOBS.where(_queue.c.id == job_id))).one_or_none()
        if row is None:
            raise JobNotFoundError(job_id)
        return row  # type: ignore[no-any-return]

    async def page(self, query: JobQuery) -> Page[AnyRow]:
        wanted = _JOBS.where(*any_of(_STATE, query.state), *any_of(_queue.c.entrypoint, query.name))
        return await fetch_page(self._session, wanted, query, _SORT_KEYS, _queue.c.id, {})

    async def all(self) -> Sequence[AnyRow]:
        return (await self._session.execute(_JOBS.order_by(_queue.c.id))).all()

    async def requeue(self, job_id: int) -> None:
        await requeue(self._session, job_id)
