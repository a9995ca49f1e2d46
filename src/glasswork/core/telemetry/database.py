"""What the database costs: a span, a time and a count for each statement, and the wait for a connection.

The instrumentation package for SQLAlchemy does nothing on 2.1. Names follow the semantic conventions for
database clients; the text of a statement has placeholders, and values are never seen here.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter, time_ns
from typing import Any, Self

from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, get_current_span
from sqlalchemy import Engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from glasswork.core.telemetry.context import find_request
from glasswork.core.telemetry.metrics import OPERATIONS, OTHER, Metrics

WAIT = "wait for a connection"
"""The span of a wait for the pool that is long enough to be seen."""

_LONGEST_TEXT = 2000
_SHOWN_WAIT_SECONDS = 0.001

_TABLE = re.compile(
    r"\b(?:FROM|INTO|JOIN|UPDATE)\s+(?!SET\b|OF\b|SKIP\b)([a-z_][\w.]*)(?!\w*\()", re.IGNORECASE
)
_SUBQUERY = re.compile(
    r"\b(\w+)\s+AS\s+(?:NOT\s+)?(?:MATERIALIZED\s+)?\(\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)", re.IGNORECASE
)
_COMMENT = re.compile(r"--[^\n]*")
_CHANGE = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\b", re.IGNORECASE)

_COMMIT = ("COMMIT", "COMMIT")

Summary = tuple[str, str]
"""The operation, and what `db.query.summary` says."""


@dataclass(slots=True)
class PoolState:
    size: int = 0
    used: int = 0
    waiting: int = 0
    """Who waits for a connection."""


class DatabaseSignals:
    def __init__(self, metrics: Metrics, tracer: Tracer) -> None:
        self._metrics = metrics
        self._tracer = tracer
        self._idle = metrics.connections.labels("idle")
        self._used = metrics.connections.labels("used")
        self._seconds = {
            (operation, outcome): metrics.statement_seconds.labels(operation, outcome)
            for operation in (*OPERATIONS, OTHER)
            for outcome in ("ok", "error")
        }
        self._attributes: dict[str, str | int] = {"db.system.name": "postgresql"}
        self.pool = PoolState()

    def pool_class(self) -> type[AsyncAdaptedQueuePool]:
        """A pool that tells how long it was waited for."""
        metrics, pool, wait_ended = self._metrics, self.pool, self._wait_ended

        class MeasuredPool(AsyncAdaptedQueuePool):
            _sqla_logger_namespace = "sqlalchemy.pool"

            def _do_get(self) -> ConnectionPoolEntry:
                began = perf_counter()
                pool.waiting += 1
                metrics.connections_pending.inc()
                try:
                    return super()._do_get()
                except PoolTimeoutError:
                    metrics.connection_timeouts.inc()
                    raise
                finally:
                    pool.waiting -= 1
                    metrics.connections_pending.dec()
                    wait_ended(perf_counter() - began)

        return MeasuredPool

    def observe(self, engine: Engine, pool_size: int) -> None:
        url = engine.url
        self._attributes |= {"db.namespace": url.database or "", "server.address": url.host or ""}
        if url.port:
            self._attributes["server.port"] = url.port
        self.pool.size = pool_size
        self._metrics.connections_max.set(pool_size)
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", self._end)
        event.listen(engine, "handle_error", self._fail)
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "close", self._closed)
        event.listen(engine, "checkout", self._checked_out)
        event.listen(engine, "checkin", self._checked_in)

    def statement(self, summary: Summary, text: str) -> "Statement":
        """Begin one, whose `summarise` is known; end it by `finish`, or at the end of a `with`."""
        return Statement(self, summary, self._start_span(summary, text))

    def commit(self) -> "Statement":
        """Around a COMMIT, which the events of the engine only announce."""
        return self.statement(_COMMIT, "COMMIT")

    def _begin(self, _: Any, __: Any, statement: str, ___: Any, context: Any, ____: bool) -> None:
        context.glasswork = self.statement(summarise(statement), statement)

    def _end(self, _: Any, __: Any, ___: str, ____: Any, context: Any, _____: bool) -> None:
        context.glasswork.finish()

    def _fail(self, failure: Any) -> None:
        statement = getattr(failure.execution_context, "glasswork", None)
        if statement is not None:
            error = failure.original_exception
            statement.finish(error.__cause__ or error)  # the driver's own, not SQLAlchemy's wrapper of it

    def _start_span(self, summary: Summary, text: str) -> Span | None:
        """None outside of a trace: what only looks around, such as a check of readiness, begins none."""
        if not get_current_span().is_recording():
            return None
        attributes = {
            **self._attributes,
            "db.operation.name": summary[0],
            "db.query.summary": summary[1],
            "db.query.text": text[:_LONGEST_TEXT],
        }
        return self._tracer.start_span(summary[1], kind=SpanKind.CLIENT, attributes=attributes)

    def finish(self, operation: str, outcome: str, seconds: float) -> None:
        self._seconds[operation, outcome].observe(seconds)
        if request := find_request():
            request.db_seconds += seconds
            request.db_queries += operation != "COMMIT"

    def _wait_ended(self, seconds: float) -> None:
        self._metrics.connection_wait_seconds.observe(seconds)
        if request := find_request():
            request.db_wait_seconds += seconds
        if seconds > _SHOWN_WAIT_SECONDS and get_current_span().is_recording():
            now = time_ns()
            began = now - int(seconds * 1e9)
            self._tracer.start_span(WAIT, attributes=self._attributes, start_time=began).end(now)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the wait for a connection that another one has."""
        began = perf_counter()
        self.pool.waiting += 1
        self._metrics.connections_pending.inc()
        try:
            yield
        except TimeoutError:
            self._metrics.connection_timeouts.inc()
            raise
        finally:
            self.pool.waiting -= 1
            self._metrics.connections_pending.dec()
            self._wait_ended(perf_counter() - began)

    def connected(self) -> None:
        self._idle.inc()

    def closed(self) -> None:
        self._idle.dec()

    def taken(self) -> None:
        self.pool.used += 1
        self._idle.dec()
        self._used.inc()

    def given_back(self, seconds: float) -> None:
        self._metrics.connection_use_seconds.observe(seconds)
        self.pool.used -= 1
        self._used.dec()
        self._idle.inc()

    def _connected(self, *_: Any) -> None:
        self.connected()

    def _closed(self, *_: Any) -> None:
        self.closed()

    def _checked_out(self, _: Any, record: ConnectionPoolEntry, __: Any) -> None:
        record.info["glasswork.since"] = perf_counter()
        self.taken()

    def _checked_in(self, _: Any, record: ConnectionPoolEntry) -> None:
        since = record.info.pop("glasswork.since", None)
        if since is None:
            return  # it was refused at its checkout
        self.given_back(perf_counter() - since)


_UNOBSERVED = nullcontext()


def observing(
    signals: DatabaseSignals | None, summary: Summary, text: str
) -> AbstractContextManager["Statement | None"]:
    """Around a statement, also where nobody observes."""
    return _UNOBSERVED if signals is None else signals.statement(summary, text)


class Statement:
    """One that runs."""

    __slots__ = ("_began", "_operation", "_signals", "_span")

    def __init__(self, signals: DatabaseSignals, summary: Summary, span: Span | None) -> None:
        self._signals = signals
        self._operation = summary[0]
        self._span = span
        self._began = perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.finish(error)

    def finish(self, error: BaseException | None = None) -> None:
        """`error` is the driver's."""
        seconds = perf_counter() - self._began
        if self._span is not None:
            if error is not None:
                _tell_error(self._span, error)
            self._span.end()
        self._signals.finish(self._operation, "error" if error else "ok", seconds)


def _tell_error(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__qualname__)
    if state := getattr(error, "sqlstate", None):
        span.set_attribute("db.response.status_code", state)
    span.set_status(StatusCode.ERROR)


@lru_cache(maxsize=2000)
def summarise(statement: str) -> Summary:
    """Return the operation, and with its tables what `db.query.summary` says of it."""
    statement = _COMMENT.sub("", statement)
    word = statement.split(None, 1)[0].upper() if statement.strip() else OTHER
    if word == "WITH":
        change = _CHANGE.search(statement)
        word = change[1].split()[0].upper() if change else "SELECT"
    subqueries = set(_SUBQUERY.findall(statement))
    tables = dict.fromkeys(table for table in _TABLE.findall(statement) if table not in subqueries)
    return word if word in OPERATIONS else OTHER, " ".join([word, *tables])[:255]
