"""What is kept of a request, or an attempt of a job or a delivery: spans, log lines, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any, Literal

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode, format_span_id

MAX_SPANS = 200
MAX_LINES = 50

_QUERY_TEXT = "db.query.text"
# The same for every span of a process, or said elsewhere in the record.
_NOT_SHOWN = {
    _QUERY_TEXT,
    *(
        "db.system.name",
        "db.namespace",
        "server.address",
        "server.port",
        "url.scheme",
        "network.protocol.version",
    ),
    *("glasswork.request_id", "messaging.system", "http.request.method", "http.route", "url.path"),
}

_RECORD_BYTES = 2500
_SPAN_BYTES = 1100
_LINE_BYTES = 1000

Kind = Literal["request", "job", "delivery"]
Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class SpanRecord:
    id: str
    parent_id: str | None
    name: str
    kind: str
    start: float
    """Unix seconds."""
    duration: float
    """Seconds."""
    is_error: bool
    sql: str | None
    attributes: Mapping[str, Value]

    @classmethod
    def of(cls, span: ReadableSpan) -> "SpanRecord":
        attributes = span.attributes or {}
        began, ended = span.start_time or 0, span.end_time or 0
        sql = attributes.get(_QUERY_TEXT)
        return cls(
            id=format_span_id(span.context.span_id) if span.context else "",
            parent_id=format_span_id(span.parent.span_id)
            if span.parent and not span.parent.is_remote
            else None,
            name=span.name,
            kind=span.kind.name.lower(),
            start=began / 1e9,
            duration=(ended - began) / 1e9,
            is_error=span.status.status_code is StatusCode.ERROR,
            sql=None if sql is None else str(sql),
            attributes={
                name: value
                for name, value in attributes.items()
                if name not in _NOT_SHOWN and isinstance(value, str | int | float)
            },
        )


@dataclass(frozen=True, slots=True)
class LineRecord:
    at: float
    """Unix seconds."""
    level: str
    logger: str
    event: str
    fields: Mapping[str, Value]
    exception: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of it; a job has no status, and a delivery that of the answer, if one came."""

    title: str
    """Method and route, the job's name, or what is delivered."""
    status: int | None
    outcome: str
    duration: float
    """Seconds."""
    statements: int
    fields: Mapping[str, Value]
    """All that its log line says."""
    error: Mapping[str, Any] | None = None
    """As it was sent to the caller, without what the caller may have put into it."""
    exception: Mapping[str, Any] | None = None
    """As the log describes it."""

    @property
    def is_failure(self) -> bool:
        return self.outcome in {"server_error", "retry", "dead"}


@dataclass(slots=True)
class Record:
    kind: Kind
    request_id: str
    trace_id: str | None
    at: float = field(default_factory=time)
    """Unix seconds, of the start."""
    lines: list[LineRecord] = field(default_factory=list)
    spans_left_out: int = 0
    lines_left_out: int = 0
    ending: Ending | None = None
    """None while it runs."""
    _spans: list[SpanRecord] = field(default_factory=list)
    _raw: list[ReadableSpan] = field(default_factory=list)

    @property
    def spans(self) -> Sequence[SpanRecord]:
        """In the order of their ends; made when somebody looks."""
        if self._raw:
            self._spans += map(SpanRecord.of, self._raw)
            self._raw.clear()
        return self._spans

    @property
    def ended(self) -> Ending:
        assert self.ending is not None  # noqa: S101 (who asks has it from where the ended ones are)
        return self.ending

    def take_span(self, span: ReadableSpan) -> None:
        # The server's own comes in any case: it ends last.
        if len(self._raw) < MAX_SPANS or self.ending is not None:
            self._raw.append(span)
        else:
            self.spans_left_out += 1

    def take_line(self, line: LineRecord) -> None:
        if len(self.lines) < MAX_LINES:
            self.lines.append(line)
        else:
            self.lines_left_out += 1

    def end(self, ending: Ending, *, with_spans: bool) -> None:
        """Without spans it costs less, and is less."""
        self.ending = ending
        if not with_spans:
            self.spans_left_out += len(self._raw)
            self._raw.clear()

    @property
    def bytes(self) -> int:
        """About as much memory as it takes; the texts of statements are shared, and not counted."""
        return (
            _RECORD_BYTES + _SPAN_BYTES * (len(self._spans) + len(self._raw)) + _LINE_BYTES * len(self.lines)
        )
