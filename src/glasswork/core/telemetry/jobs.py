"""The end of every attempt of a job: one function writes its span, its metrics and its log line."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import structlog
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from glasswork.core.telemetry.context import RequestContext, begin_request, new_request_id
from glasswork.core.telemetry.exceptions import describe
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.origin import origin_of
from glasswork.core.telemetry.recorder import Recorder
from glasswork.core.telemetry.records import Ending, Value

log = structlog.get_logger("glasswork.jobs")

MESSAGING = {"messaging.system": "postgresql"}
"""What spans say of the queue; the conventions for messaging are still in development."""

Outcome = Literal["ok", "retry", "dead", "returned"]
_LEVELS: Mapping[Outcome, str] = {"ok": "info", "returned": "info", "retry": "warning", "dead": "error"}


@dataclass
class Attempt:
    """`returned` as long as nothing else is known: whoever is cut off gives the job back."""

    job: str
    job_id: int
    number: int
    """From 1."""
    ordered_at: datetime
    due_at: datetime
    headers: Mapping[str, Any]
    outcome: Outcome = "returned"
    error: BaseException | None = None
    delay: float | None = None
    """Seconds until the next attempt."""


class JobSignals:
    def __init__(self, metrics: Metrics, tracer: Tracer, recorder: Recorder | None = None) -> None:
        self._metrics = metrics
        self._tracer = tracer
        self._recorder = recorder

    @contextmanager
    def watch(self, attempt: Attempt) -> Iterator[None]:
        """Begin the context of an attempt, with the request id of whoever ordered it."""
        request = begin_request(str(attempt.headers.get("request_id") or new_request_id()))
        now = datetime.now(UTC)
        wait = max(timedelta(0), now - attempt.due_at).total_seconds()
        parent, links = origin_of(attempt.headers, attempt.ordered_at)
        with (
            self._tracer.start_as_current_span(
                f"process {attempt.job}",
                parent,
                SpanKind.CONSUMER,
                attributes={
                    **MESSAGING,
                    "messaging.destination.name": attempt.job,
                    "messaging.operation.name": "process",
                    "messaging.operation.type": "process",
                    "messaging.message.id": str(attempt.job_id),
                    "glasswork.request_id": request.request_id,
                    "glasswork.attempt": attempt.number,
                },
                links=links,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            self._recording(request),
        ):
            try:
                yield
            finally:
                if attempt.error is not None:
                    span.set_attribute("error.type", type(attempt.error).__qualname__)
                    span.set_status(StatusCode.ERROR)
                self._metrics.jobs.labels(attempt.job, attempt.outcome).inc()
                self._metrics.job_seconds.labels(attempt.job).observe(request.seconds)
                self._metrics.job_wait_seconds.labels(attempt.job).observe(wait)
                ending = _end(attempt, request, wait)
                getattr(log, _LEVELS[attempt.outcome])("job.attempt", **ending.fields, exc_info=attempt.error)
                if self._recorder is not None:
                    self._recorder.end(request, ending)

    def _recording(self, request: RequestContext) -> AbstractContextManager[None]:
        return nullcontext() if self._recorder is None else self._recorder.recording(request, "job")


def _end(attempt: Attempt, request: RequestContext, wait: float) -> Ending:
    fields: dict[str, Value] = {
        "job": attempt.job,
        "job_id": attempt.job_id,
        "attempt": attempt.number,
        "outcome": attempt.outcome,
        "delay": None if attempt.delay is None else round(attempt.delay, 3),
        "duration_ms": round(request.seconds * 1000, 2),
        "wait_ms": round(wait * 1000, 2),
        "db_queries": request.db_queries,
        "db_ms": round(request.db_seconds * 1000, 2),
        "jobs_ordered": request.jobs_ordered,
    }
    return Ending(
        title=attempt.job,
        status=None,
        outcome=attempt.outcome,
        duration=request.seconds,
        statements=request.db_queries,
        fields={name: value for name, value in fields.items() if value is not None},
        exception=describe(attempt.error) if attempt.error else None,
    )
