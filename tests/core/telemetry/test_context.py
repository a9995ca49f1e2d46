from contextvars import Context
from uuid import UUID

from glasswork.core.telemetry.context import RequestContext, begin_request, current_request, find_request


def test_outside_a_request_one_is_begun_when_asked_for() -> None:
    def outside() -> None:
        assert find_request() is None
        begun = current_request()
        assert UUID(begun.request_id).version == 7
        assert current_request() is begun
        assert find_request() is begun

    Context().run(outside)


def test_the_next_request_takes_the_place_of_the_last() -> None:
    def two() -> None:
        first, second = begin_request("first"), begin_request("second")
        assert first is not second
        assert current_request() is second

    Context().run(two)


def test_a_request_lasts_until_its_last_byte() -> None:
    context = RequestContext("request", started=10.0)
    assert context.seconds != context.seconds
    context.last_byte = 12.5
    assert context.seconds == 2.5
