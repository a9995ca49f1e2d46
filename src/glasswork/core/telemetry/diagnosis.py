"""What most likely made a request fail or slow, in one sentence, from what was recorded of it."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from glasswork.core.telemetry.database import WAIT
from glasswork.core.telemetry.records import Ending, Record, SpanRecord
from glasswork.core.telemetry.runtime import LOOP_BLOCKED
from glasswork.core.telemetry.traces import is_slow

MANY_STATEMENTS = 10
"""So many of one text are a loop that should be one statement."""
NOTICED_SECONDS = 0.1
MOST = 0.5
"""Of the time."""

_SQL_OPERATIONS = {
    "40001": "a serialisation failure",
    "40P01": "a deadlock",
    "55P03": "a lock that was not to be had",
    "57014": "cancelled, most likely by its time limit",
    "57P01": "the server was shut down",
    "53300": "the server has no connections left",
}


@dataclass(frozen=True, slots=True)
class Cause:
    text: str
    place: str | None = None
    """File, line and function."""
    span_ids: Sequence[str] = ()


def diagnose(record: Record) -> Cause | None:
    """None where nothing is the matter."""
    return next((cause for look in _LOOKS if (cause := look(record, record.ended))), None)


def _failed_statement(record: Record, ending: Ending) -> Cause | None:
    """The last span that failed, where the request did."""
    if not ending.is_failure:
        return None
    failed = [span for span in record.spans if span.is_error and span.kind == "client"]
    if not failed:
        return None
    span = failed[-1]
    state = str(span.attributes.get("db.response.status_code", ""))
    why = _SQL_OPERATIONS.get(state, span.attributes.get("error.type", "an error"))
    after = f" after {_time(span.duration)}" if span.duration > NOTICED_SECONDS else ""
    told = f"{span.name} failed{after}: {why}{f' ({state})' if state else ''}"
    return Cause(told, _place(ending), (span.id,))


def _blocked_loop(record: Record, ending: Ending) -> Cause | None:
    if ending.duration < NOTICED_SECONDS:
        return None
    for line in record.lines:
        if line.event == LOOP_BLOCKED:
            return Cause(
                "The event loop stood still, for this request and all others", str(line.fields.get("where"))
            )
    return None


def _wait_for_pool(record: Record, ending: Ending) -> Cause | None:
    waited = sum(span.duration for span in record.spans if span.name == WAIT)
    if waited < NOTICED_SECONDS or waited < MOST * ending.duration:
        return None
    vain = " in vain" if ending.is_failure else ""
    told = f"{_time(waited)} of {_time(ending.duration)}: waited{vain} for a connection of the pool"
    return Cause(told, None, tuple(span.id for span in record.spans if span.name == WAIT))


def _exception(_: Record, ending: Ending) -> Cause | None:
    if not ending.is_failure or ending.exception is None:
        return None
    message = ending.exception.get("message")
    return Cause(f"{ending.exception['type']}{f': {message}' if message else ''}", _place(ending))


def _receiver(_: Record, ending: Ending) -> Cause | None:
    """Of a webhook, who did not take what was delivered."""
    failure = ending.fields.get("failure")
    if failure is None:
        return None
    told = (
        f"It was not sent: {failure}" if ending.status is None else f"The receiver answered {ending.status}"
    )
    return Cause(told)


def _repeated_statement(record: Record, ending: Ending) -> Cause | None:
    by_text = defaultdict(list)
    for span in record.spans:
        if span.sql:
            by_text[span.sql].append(span)
    most = max(by_text.values(), key=len, default=[])
    if len(most) < MANY_STATEMENTS:
        return None
    seconds = sum(span.duration for span in most)
    told = (
        f"{len(most)} statements of one shape, {_time(seconds)} of {_time(ending.duration)}: {most[0].name}"
    )
    return Cause(told, None, tuple(span.id for span in most))


def _longest(record: Record, ending: Ending) -> Cause | None:
    """One call to a neighbour that took most of the time."""
    calls = [span for span in record.spans if span.kind == "client"]
    longest: SpanRecord | None = max(calls, key=lambda span: span.duration, default=None)
    if longest is None or longest.duration < max(NOTICED_SECONDS, MOST * ending.duration):
        return None
    told = f"{_time(longest.duration)} of {_time(ending.duration)}: {longest.name}"
    return Cause(told, None, (longest.id,))


def _own_time(record: Record, ending: Ending) -> Cause | None:
    outside = ending.duration - sum(span.duration for span in record.spans if span.kind == "client")
    if not is_slow(ending.duration) or outside < MOST * ending.duration or record.spans_left_out:
        return None
    return Cause(
        f"{_time(outside)} of {_time(ending.duration)}: outside of the database and of other services"
    )


def _refusal(_: Record, ending: Ending) -> Cause | None:
    if ending.outcome == "aborted":
        return Cause(f"The caller had gone after {_time(ending.duration)}")
    if ending.error is None:
        return None
    return Cause(f"{ending.error['code']}: {ending.error['message']}")


_LOOKS: Sequence[Callable[[Record, Ending], Cause | None]] = (
    _failed_statement,
    _blocked_loop,
    _wait_for_pool,
    _exception,
    _receiver,
    _repeated_statement,
    _longest,
    _own_time,
    _refusal,
)


def _place(ending: Ending) -> str | None:
    """The innermost of a slice's places on the way to the exception, else the innermost of all."""
    places = list(_places(ending))
    ours = [place for place in places if place.startswith("glasswork/features/")]
    return next(iter([*ours[::-1], *places[::-1]]), None)


def _places(ending: Ending) -> Iterator[str]:
    if ending.exception is None:
        return
    yield from ending.exception.get("stack", ())
    for cause in ending.exception.get("causes", ()):
        _, _, place = cause.partition(" at ")
        if place:
            yield place


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
