"""Which requests are kept, how much of them, and that it never becomes too much."""

import tracemalloc
from collections.abc import Iterator
from time import time

import pytest

from glasswork.core.telemetry import recorder as module
from glasswork.core.telemetry.recorder import MAX_FAILED, MAX_RECENT, MAX_SLOW, RecordedSpans, Recorder
from glasswork.core.telemetry.records import MAX_LINES, MAX_SPANS, Ending, Record

from .recorded import make_ending, make_line, make_request, tracer


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def processor() -> RecordedSpans:
    return RecordedSpans()


def record(recorder: Recorder, ending: Ending, request_id: str | None = None, spans: int = 0) -> Record:
    request = make_request(request_id)
    with recorder.recording(request, "request"):
        assert request.record
        for _ in range(spans):
            span = tracer.start_span("SELECT otters", attributes={"db.query.text": "SELECT $1"})
            span.end()
            request.record.take_span(span)  # type: ignore[arg-type]
        recorder.end(request, ending)
    return request.record


def ids(records: Iterator[Record]) -> list[str]:
    return [each.request_id for each in records]


class TestKept:
    def test_the_newest_come_first_and_the_oldest_go(self, recorder: Recorder) -> None:
        for number in range(MAX_RECENT + 10):
            record(recorder, make_ending(), f"request-{number}")
        assert ids(recorder.recent)[0] == f"request-{MAX_RECENT + 9}"
        assert ids(recorder.recent)[-1] == "request-10"

    def test_failed_ones_are_not_pushed_out_by_traffic(self, recorder: Recorder) -> None:
        record(recorder, make_ending(outcome="server_error"), "the-failed-one")
        record(recorder, make_ending(outcome="client_error"), "the-refused-one")
        for _ in range(MAX_RECENT + 100):
            record(recorder, make_ending())
        assert ids(recorder.failed) == ["the-failed-one"]
        assert [found.request_id for found in recorder.find("the-failed-one")] == ["the-failed-one"]
        assert "the-refused-one" not in ids(recorder.recent)

    @pytest.mark.parametrize("outcome", ["retry", "dead"])
    def test_jobs_that_fail_count_as_failed(self, recorder: Recorder, outcome: str) -> None:
        record(recorder, make_ending(outcome=outcome, status=None), "the-job")
        assert ids(recorder.failed) == ["the-job"]

    def test_the_slowest_stay_slowest_first(self, recorder: Recorder) -> None:
        for number in range(MAX_SLOW + 50):
            record(recorder, make_ending(duration=(number * 37 % 150) / 100), f"{number}")
        durations = [each.ended.duration for each in recorder.slow]
        assert durations == [number / 100 for number in range(149, 49, -1)]

    def test_what_is_old_goes(self, recorder: Recorder) -> None:
        old = record(recorder, make_ending(outcome="server_error"), "old")
        record(recorder, make_ending(), "new")
        old.at = time() - module.KEPT_SECONDS - 1
        recorder.tick(0)
        assert ids(recorder.recent) == ["new"]
        assert ids(recorder.failed) == []
        assert ids(recorder.slow) == ["new"]

    def test_one_that_is_in_several_lists_is_found_once(self, recorder: Recorder) -> None:
        record(recorder, make_ending(duration=9, outcome="server_error"), "it")
        record(recorder, make_ending(), "it")  # whoever sends the same id again is another request
        assert [each.ended.outcome for each in recorder.find("it")] == ["ok", "server_error"]

    def test_who_ends_without_an_end_is_forgotten(self, recorder: Recorder) -> None:
        request = make_request()
        with recorder.recording(request, "request"):
            assert len(recorder.running) == 1
        assert not recorder.running
        recorder.end(request, make_ending())
        assert ids(recorder.recent) == []


class TestSpansAndLines:
    def test_spans_go_to_the_request_in_hand(self, recorder: Recorder, processor: RecordedSpans) -> None:
        request = make_request()
        with recorder.recording(request, "request"):
            inner = tracer.start_span(
                "SELECT otters", attributes={"db.query.text": "SELECT $1", "answer": 42}
            )
            inner.end()
            processor.on_end(inner)  # type: ignore[arg-type]
            recorder.end(request, make_ending())
        outer = tracer.start_span("GET /otters")
        outer.end()
        processor.on_end(outer)  # type: ignore[arg-type]
        assert request.record
        (select, server) = request.record.spans
        assert (select.name, select.sql, select.attributes) == ("SELECT otters", "SELECT $1", {"answer": 42})
        assert server.name == "GET /otters"  # the server's own ends after the request

    def test_there_is_a_limit(self, recorder: Recorder) -> None:
        found = record(recorder, make_ending(), spans=MAX_SPANS + 7)
        for _ in range(MAX_LINES + 3):
            found.take_line(make_line())
        assert (len(found.spans), found.spans_left_out) == (MAX_SPANS, 7)
        assert (len(found.lines), found.lines_left_out) == (MAX_LINES, 3)

    def test_what_happens_to_all_is_told_to_all_that_run(self, recorder: Recorder) -> None:
        one, other = make_request(), make_request()
        with recorder.recording(one, "request"), recorder.recording(other, "job"):
            recorder.take_line_of_all(make_line("loop.blocked"))
        assert [request.record.lines[0].event for request in (one, other) if request.record] == [
            "loop.blocked"
        ] * 2


class TestTooMuch:
    def test_a_lagging_loop_keeps_what_is_bad_and_a_share_of_the_rest(self, recorder: Recorder) -> None:
        for _ in range(MAX_SLOW):
            record(recorder, make_ending(duration=5))
        recorder.tick(module.SHED_LAG_MS + 1)
        assert recorder.is_shedding
        before = len(ids(recorder.recent))
        for _ in range(100):
            record(recorder, make_ending(), spans=3)
        bad = record(recorder, make_ending(outcome="server_error"), "bad", spans=3)
        assert len(ids(recorder.recent)) - before == 100 // module.SHED_SHARE + 1
        assert len(bad.spans) == 3
        recorder.tick(0)
        assert not recorder.is_shedding

    def test_too_many_requests_do_so_too(self, recorder: Recorder) -> None:
        for _ in range(module.SHED_ENDINGS + 1):
            record(recorder, make_ending())
        recorder.tick(0)
        assert recorder.is_shedding

    @pytest.mark.slow
    def test_full_of_large_ones_it_stays_below_20_mb(self) -> None:
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        recorder = Recorder()
        for number in range(MAX_RECENT):
            outcome = "server_error" if number % 3 == 0 else "ok"
            found = record(recorder, make_ending(duration=number, outcome=outcome), spans=60)
            for line in range(20):
                found.take_line(make_line(detail="otter " * 100 + str(line)))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert recorder.bytes <= module.MAX_BYTES
        assert (held - before) / 1e6 < 20
        assert len(ids(recorder.failed)) <= MAX_FAILED
