"""The end of every attempt to deliver: one function writes its span, its metrics and its log line."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import structlog
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from glasswork.core.telemetry.context import RequestContext, begin_request
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.origin import origin_of
from glasswork.core.telemetry.recorder import Recorder
from glasswork.core.telemetry.records import Ending, Value

log = structlog.get_logger("glasswork.deliveries")

Outcome = Literal["delivered", "retry", "dead", "unknown"]


@dataclass
class DeliveryAttempt:
    """`unknown` as long as nothing else is known: whoever is cut off tries once more."""

    delivery_id: UUID
    webhook_id: UUID
    workspace_id: UUID
    type: str
    request_id: str
    """Of whoever caused the change."""
    traceparent: str | None
    number: int
    """From 1."""
    happened_at: datetime
    is_held_up: bool
    """Whether its receiver was the reason to wait: it failed, or had others before this one."""
    outcome: Outcome = "unknown"
    status: int | None = None
    """That was answered."""
    failure: str | None = None
    is_first_answer: bool = False
    """Whether no attempt had an end before."""


class DeliverySignals:
    def __init__(self, metrics: Metrics, tracer: Tracer, recorder: Recorder | None = None) -> None:
        self._metrics = metrics
        self._tracer = tracer
        self._recorder = recorder

    @contextmanager
    def watch(self, attempt: DeliveryAttempt) -> Iterator[None]:
        """Begin the context of an attempt, in the trace of the request that caused the change."""
        request = begin_request(attempt.request_id)
        parent, links = origin_of({"traceparent": attempt.traceparent}, attempt.happened_at)
        with (
            self._tracer.start_as_current_span(
                "deliver webhook",
                parent,
                SpanKind.CONSUMER,
                attributes={
                    "glasswork.request_id": request.request_id,
                    "glasswork.webhook_id": str(attempt.webhook_id),
                    "glasswork.delivery_id": str(attempt.delivery_id),
                    "glasswork.event": attempt.type,
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
                if attempt.failure is not None:
                    span.set_attribute("error.type", attempt.failure)
                    span.set_status(StatusCode.ERROR)
                self._end(attempt, request)

    def _recording(self, request: RequestContext) -> AbstractContextManager[None]:
        return nullcontext() if self._recorder is None else self._recorder.recording(request, "delivery")

    def _end(self, attempt: DeliveryAttempt, request: RequestContext) -> None:
        self._metrics.webhook_attempts.labels(attempt.outcome).inc()
        if attempt.is_first_answer:
            waited = (datetime.now(UTC) - attempt.happened_at).total_seconds()
            held_up = str(attempt.is_held_up).lower()
            self._metrics.webhook_first_answer_seconds.labels(held_up).observe(max(0, waited))
        ending = _ending(attempt, request)
        level = "info" if attempt.outcome == "delivered" else "warning"
        getattr(log, level)("webhook.attempt", **ending.fields)
        if self._recorder is not None:
            self._recorder.end(request, ending)


def _ending(attempt: DeliveryAttempt, request: RequestContext) -> Ending:
    fields: dict[str, Value] = {
        "delivery_id": str(attempt.delivery_id),
        "webhook_id": str(attempt.webhook_id),
        "workspace_id": str(attempt.workspace_id),
        "type": attempt.type,
        "attempt": attempt.number,
        "outcome": attempt.outcome,
        "answer_status": attempt.status,
        "failure": attempt.failure,
        "duration_ms": round(request.seconds * 1000, 2),
        "db_queries": request.db_queries,
        "db_ms": round(request.db_seconds * 1000, 2),
    }
    return Ending(
        title=f"deliver {attempt.type}",
        status=attempt.status,
        outcome=attempt.outcome,
        duration=request.seconds,
        statements=request.db_queries,
        fields={name: value for name, value in fields.items() if value is not None},
    )
