"""Requests that were, for those who look back at them."""

from typing import Any
from uuid import uuid4

from opentelemetry.sdk.resources import Resource

from glasswork.core.telemetry.context import RequestContext, begin_request
from glasswork.core.telemetry.records import Ending, LineRecord, Record, SpanRecord
from glasswork.core.telemetry.spans import LightTracerProvider

tracer = LightTracerProvider(Resource.create(), 1).get_tracer("test")


def make_ending(duration: float = 0.01, outcome: str = "ok", **changes: Any) -> Ending:
    status = {"ok": 200, "client_error": 404, "server_error": 500}.get(outcome)
    values: dict[str, Any] = {"title": "GET /otters", "status": status, "statements": 1, "fields": {}}
    return Ending(**values | {"duration": duration, "outcome": outcome} | changes)


def make_request(request_id: str | None = None) -> RequestContext:
    return begin_request(request_id or uuid4().hex)


def make_span(name: str = "SELECT otters", duration: float = 0.001, **changes: Any) -> SpanRecord:
    values: dict[str, Any] = {
        "id": uuid4().hex[:16],
        "parent_id": None,
        "kind": "client",
        "start": 1.0,
        "is_error": False,
        "sql": f"{name} WHERE id = $1",
        "attributes": {},
    }
    return SpanRecord(**values | {"name": name, "duration": duration} | changes)


def make_line(event: str = "otter.seen", **fields: Any) -> LineRecord:
    return LineRecord(1.0, "info", "glasswork.otters", event, fields, None)


def make_record(
    ending: Ending, spans: list[SpanRecord] | None = None, lines: list[LineRecord] | None = None
) -> Record:
    record = Record("request" if ending.status else "job", "the-request", None)
    record._spans, record.lines = spans or [], lines or []  # noqa: SLF001
    record.ending = ending
    return record
