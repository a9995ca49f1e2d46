"""The sentence that says what made a request fail or slow."""

import pytest

from glasswork.core.telemetry.database import WAIT
from glasswork.core.telemetry.diagnosis import Cause, diagnose
from glasswork.core.telemetry.records import Ending, LineRecord, SpanRecord

from .recorded import make_ending, make_line, make_record, make_span

DEADLOCK = {
    "type": "sqlalchemy.exc.DBAPIError",
    "stack": [
        "starlette/routing.py:1 app",
        "glasswork/features/tasks/service.py:7 update",
        "asyncpg/x.py:3 y",
    ],
}
BUG = {
    "type": "KeyError",
    "stack": ["glasswork/core/http/middleware/body_limit.py:38 __call__", "json/decoder.py:2 g"],
}
GONE = {"type": "ServiceUnavailableError", "message": "The mail server is away.", "stack": []}

failed = make_span(
    is_error=True, attributes={"db.response.status_code": "40P01", "error.type": "DeadlockError"}
)
unknown = make_span(duration=2, is_error=True, attributes={"error.type": "TimeoutError"})
waits = make_span(WAIT, 2.0, kind="internal", sql=None)
many = [make_span("SELECT labels", 0.002) for _ in range(40)]
slow = make_span("UPDATE tasks", 2.0)
blocked = make_line("loop.blocked", where="glasswork/a.py:9 sleep")

CASES: dict[str, tuple[Ending, list[SpanRecord], list[LineRecord], Cause | None]] = {
    "nothing": (make_ending(), [make_span()], [], None),
    "a failing statement": (
        make_ending(outcome="server_error", exception=DEADLOCK),
        [make_span(), failed],
        [],
        Cause(
            "SELECT otters failed: a deadlock (40P01)",
            "glasswork/features/tasks/service.py:7 update",
            (failed.id,),
        ),
    ),
    "a failing statement without a state": (
        make_ending(2.1, "server_error", exception=None),
        [unknown],
        [],
        Cause("SELECT otters failed after 2.0 s: TimeoutError", None, (unknown.id,)),
    ),
    "a statement that failed, and was got over": (make_ending(), [failed], [], None),
    "a blocked loop": (
        make_ending(0.7),
        [make_span(duration=0.6)],
        [make_line(), blocked],
        Cause("The event loop stood still, for this request and all others", "glasswork/a.py:9 sleep"),
    ),
    "a blocked loop that was not felt": (make_ending(0.05), [], [blocked], None),
    "a pool without connections": (
        make_ending(2.01, "server_error", exception=GONE),
        [waits],
        [],
        Cause("2.0 s of 2.0 s: waited in vain for a connection of the pool", None, (waits.id,)),
    ),
    "a bug": (
        make_ending(outcome="server_error", exception=BUG),
        [make_span()],
        [],
        Cause("KeyError", "json/decoder.py:2 g"),
    ),
    "a failure with words of its own": (
        make_ending(outcome="retry", exception=GONE),
        [],
        [],
        Cause("ServiceUnavailableError: The mail server is away."),
    ),
    "a receiver who refuses": (
        make_ending(2.1, "retry", status=503, fields={"failure": "status"}),
        [make_span("POST", 2.0)],
        [],
        Cause("The receiver answered 503"),
    ),
    "a delivery that could not be made": (
        make_ending(outcome="retry", fields={"failure": "secret"}),
        [],
        [],
        Cause("It was not sent: secret"),
    ),
    "a statement in a loop": (
        make_ending(0.1),
        [make_span(), *many],
        [],
        Cause(
            "40 statements of one shape, 80 ms of 100 ms: SELECT labels",
            None,
            tuple(span.id for span in many),
        ),
    ),
    "a slow statement": (
        make_ending(2.1),
        [make_span(), slow],
        [],
        Cause("2.0 s of 2.1 s: UPDATE tasks", None, (slow.id,)),
    ),
    "our own time": (
        make_ending(3),
        [make_span()],
        [],
        Cause("3.0 s of 3.0 s: outside of the database and of other services"),
    ),
    "a refusal": (
        make_ending(outcome="client_error", error={"code": "TASK_NOT_FOUND", "message": "There is no task."}),
        [],
        [],
        Cause("TASK_NOT_FOUND: There is no task."),
    ),
    "a caller who has gone": (make_ending(0.5, "aborted"), [], [], Cause("The caller had gone after 500 ms")),
}


@pytest.mark.parametrize("name", CASES)
def test_what_was_the_matter(name: str) -> None:
    ending, spans, lines, expected = CASES[name]
    assert diagnose(make_record(ending, spans, lines)) == expected
