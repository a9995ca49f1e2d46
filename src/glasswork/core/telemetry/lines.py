"""The one shape of all log lines, ours and the libraries', for machines (JSON) and for people (console)."""

import json
import logging
import re
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from opentelemetry import trace
from opentelemetry.trace import SpanContext

from glasswork.core.telemetry.context import find_request
from glasswork.core.telemetry.exceptions import describe, type_name
from glasswork.core.telemetry.recorder import Recorder
from glasswork.core.telemetry.records import LineRecord
from glasswork.core.telemetry.redaction import printable, scrub, select
from glasswork.core.telemetry.request_line import RequestLine
from glasswork.core.telemetry.runtime import LOOP_BLOCKED

MAX_LINE_BYTES = 8192
MAX_EVENT_CHARACTERS = 4000

# What a record has by itself, what structlog hands over in it, and uvicorn's second copy of its own text.
_NOT_FIELDS = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "_logger", "_name", "color_message"}
# Their further lines are reprs of what they met, and so values.
_FIRST_LINE_ONLY = {"asyncio", "py.warnings"}
_IN_THE_TEXT = {"method", "path", "route", "status", "duration_ms", "outcome"}
"""Of a request."""
# What helps machines to count and to find.
_NOT_FOR_PEOPLE = {
    *("ttfb_ms", "bytes_in", "bytes_out", "client_ip", "user_agent", "db_wait_ms"),
    *("trace_sampled", "trace_id", "span_id"),
}
_STANDARD = {"timestamp", "level", "logger", "event", "request_id", "trace_id", "span_id"}
_COROUTINE = re.compile(r"coro=<([\w.<>]+)\(\)")

_encode_shape = msgspec.json.encode
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class LineFormatter(logging.Formatter, ABC):
    def format(self, record: logging.LogRecord) -> str:
        return self._render(*self.shape(record))

    def shape(self, record: logging.LogRecord) -> tuple[dict[str, Any], BaseException | None]:
        """Return what may leave."""
        if isinstance(record.msg, dict) and hasattr(record, "_logger"):  # from structlog
            fields = record.msg.copy()
            event = str(_without_text(fields.pop("event", "")))
            error = _error(fields.pop("exc_info", None))
        else:
            fields = {name: value for name, value in record.__dict__.items() if name not in _NOT_FIELDS}
            event = self._message(record)
            error = _error(record.exc_info)
        kept, omitted = select(fields)
        line = {
            "timestamp": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": scrub(event, MAX_EVENT_CHARACTERS),
            **_correlation(),
            **kept,
        }
        if omitted:
            line["omitted"] = omitted
        return line, error

    @abstractmethod
    def _message(self, record: logging.LogRecord) -> str:
        """Return the text of a library's record."""

    @abstractmethod
    def _render(self, line: dict[str, Any], error: BaseException | None) -> str: ...


class JsonFormatter(LineFormatter):
    """Says of an exception what it is and where it was raised, but not what it says."""

    def __init__(self, constants: Mapping[str, str]) -> None:
        super().__init__()
        self._constants = constants

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record, RequestLine) and record.error is None:
            return self._format_request(record)
        return super().format(record)

    def _format_request(self, record: RequestLine) -> str:
        line = {
            "timestamp": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": "http.request",
            "request_id": record.request_id,
            **_ids(record.ids),
            **record.fields,
            **self._constants,
        }
        return _encode_shape(line).decode()

    def _message(self, record: logging.LogRecord) -> str:
        args = record.args
        if isinstance(args, tuple):
            args = tuple(map(_without_text, args))
        elif args:
            args = {name: _without_text(value) for name, value in args.items()}
        text = str(_without_text(record.msg))
        return _first_line(record.name, text % args if args else text)

    def _render(self, line: dict[str, Any], error: BaseException | None) -> str:
        line |= self._constants
        if error is not None:
            line["exception"] = describe(error)
        text = _encode(line)
        while len(text) >= MAX_LINE_BYTES:
            line["truncated"] = True
            _shorten(line)
            text = _encode(line)
        return text


class ConsoleFormatter(LineFormatter):
    """Shows people the whole exception, its text too; for where they work with data of their own."""

    def __init__(self, *, has_colors: bool) -> None:
        super().__init__()
        self._renderer = structlog.dev.ConsoleRenderer(colors=has_colors)

    def _message(self, record: logging.LogRecord) -> str:
        return _first_line(record.name, record.getMessage())

    def _render(self, line: dict[str, Any], error: BaseException | None) -> str:
        hidden = _NOT_FOR_PEOPLE
        if line["event"] == "http.request":
            hidden = _NOT_FOR_PEOPLE | _IN_THE_TEXT
            line["event"] = "{method} {path} {status} in {duration_ms} ms".format_map(line)
        shown = {
            name: printable(value) if isinstance(value, str) else value
            for name, value in line.items()
            if name not in hidden
        }
        if error is not None:
            # Not structlog's own choice, rich: it would print the variables, passwords and tokens among them.
            text = "".join(traceback.format_exception(error)).rstrip("\n")
            # Indented, so that a line of an exception's text is never taken for a line of the log.
            shown["exception"] = "\n".join(f"    {printable(part)}" for part in text.split("\n"))
        return self._renderer(None, "", shown)


class LineKeeper(JsonFormatter):
    """Keeps lines with the request that they are about: what a log for machines may say, and no more."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__({})
        self._recorder = recorder

    def keep(self, record: logging.LogRecord) -> None:
        event = record.msg.get("event") if isinstance(record.msg, dict) else None
        if event in {"http.request", "job.attempt"}:
            return  # its fields are in the request's record already
        request = find_request()
        if request is None and event == LOOP_BLOCKED:
            self._recorder.take_line_of_all(self._line(record))
        elif request is not None and request.record is not None:
            request.record.take_line(self._line(record))

    def _line(self, record: logging.LogRecord) -> LineRecord:
        line, error = self.shape(record)
        exception = describe(error) if error else None
        fields = {name: value for name, value in line.items() if name not in _STANDARD}
        return LineRecord(record.created, line["level"], line["logger"], line["event"], fields, exception)


def _timestamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")


def _error(exc_info: object) -> BaseException | None:
    """From all that logging and structlog take for it."""
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
        case _:
            return None


def _correlation() -> dict[str, str]:
    found = {}
    request = find_request()
    if request is not None:
        found["request_id"] = request.request_id
    return found | _ids(trace.get_current_span().get_span_context())


def _ids(span: SpanContext) -> dict[str, str]:
    if not span.is_valid:
        return {}
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


def _without_text(value: object) -> object:
    return type_name(value) if isinstance(value, BaseException) else value


def _first_line(logger: str, text: str) -> str:
    if logger not in _FIRST_LINE_ONLY:
        return text
    first, _, rest = text.partition("\n")
    coroutine = _COROUTINE.search(rest)
    return f"{first} ({coroutine[1]})" if coroutine else first


def _shorten(line: dict[str, Any]) -> None:
    """Halve what is longest, and whatever is nearly as long."""
    holders: tuple[dict[str, Any], ...] = (line, line.get("exception", {}))
    sizes = [
        (len(_encode(value)), holder, name)
        for holder in holders
        for name, value in holder.items()
        if isinstance(value, str | list)
    ]
    longest = max(size for size, _, _ in sizes)
    for size, holder, name in sizes:
        if size > longest // 2:
            value = holder[name]
            half = len(value) // 2
            # The place where it was raised stands at the end of the stack.
            holder[name] = value[len(value) - half :] if name == "stack" else value[:half]
