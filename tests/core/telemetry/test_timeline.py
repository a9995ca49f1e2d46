"""Counts and percentiles of the operations page, and how seconds become minutes."""

import random
import statistics

import pytest

from glasswork.core.telemetry.timeline import (
    MINUTES_KEPT,
    SECONDS_KEPT,
    Count,
    Gauges,
    Sketch,
    Timeline,
    count_as_json,
    count_from_json,
)

QUIET = Gauges(in_flight=0, pool_used=0, pool_max=20, pool_waiting=0, lag=1, rss_mb=100, is_ready=True)
BUSY = Gauges(in_flight=7, pool_used=20, pool_max=20, pool_waiting=3, lag=250, rss_mb=120, is_ready=False)
MINUTE = 1_790_000_040
"""The beginning of one."""


def sketch_of(durations: list[float]) -> Sketch:
    sketch = Sketch()
    for duration in durations:
        sketch.add(duration)
    return sketch


class TestSketch:
    def test_of_nothing_has_no_percentile(self) -> None:
        assert Sketch().percentile(50) is None

    @pytest.mark.parametrize("percent", [50, 95, 99])
    def test_is_right_to_a_twentieth(self, percent: int) -> None:
        chance = random.Random(5)  # noqa: S311 (no secret)
        durations = [chance.lognormvariate(-5, 1.5) for _ in range(20_000)]
        exact = statistics.quantiles(durations, n=100)[percent - 1]
        assert sketch_of(durations).percentile(percent) == pytest.approx(exact, rel=0.055)

    def test_takes_what_is_shorter_than_anything(self) -> None:
        assert sketch_of([0, 0, 0]).percentile(99) == pytest.approx(0.0001, rel=0.06)

    def test_of_two_processes_is_that_of_one(self) -> None:
        one, other = sketch_of([0.1, 0.2, 3]), sketch_of([0.004, 0.2])
        one.merge(other)
        assert one == sketch_of([0.1, 0.2, 3, 0.004, 0.2])


def test_a_count_survives_its_way_to_another_process() -> None:
    count = Count()
    count.add(0.25, is_error=True, statements=3)
    assert count_from_json(count_as_json(count)) == count


def second(timeline: Timeline, at: int, requests: int, gauges: Gauges = QUIET) -> None:
    for number in range(requests):
        timeline.add(at, "GET", "/otters", 0.01, number == 0, 2)
    timeline.tick(at, gauges)


class TestTimeline:
    def test_counts_by_seconds(self) -> None:
        timeline = Timeline()
        second(timeline, MINUTE, 3)
        second(timeline, MINUTE + 1, 0)
        counts = [(point.at, point.count.requests, point.count.errors) for point in timeline.seconds]
        assert counts == [(MINUTE, 3, 1), (MINUTE + 1, 0, 0)]
        assert (timeline.total.requests, timeline.total.errors) == (3, 1)

    def test_makes_a_minute_of_its_seconds_when_it_is_over(self) -> None:
        timeline = Timeline()
        for number in range(61):
            second(timeline, MINUTE + number, 2, BUSY if number == 30 else QUIET)
        (minute,) = timeline.minutes
        assert (minute.at, minute.count.requests, minute.count.errors) == (MINUTE, 120, 60)
        assert minute.gauges == BUSY  # the worst of it
        for number in range(61, 121):
            second(timeline, MINUTE + number, 1)
        assert [point.count.requests for point in timeline.minutes] == [120, 61]

    def test_recent_ones_are_those_of_the_last_seconds(self) -> None:
        timeline = Timeline()
        assert timeline.recent(60).requests == 0
        for number in range(100):
            second(timeline, MINUTE + number, 1)
        assert timeline.recent(60).requests == 60

    def test_routes_are_those_of_the_last_quarter_of_an_hour(self) -> None:
        timeline = Timeline()
        timeline.add(MINUTE, "GET", "/old", 0.01, False, 0)
        timeline.add(MINUTE + 15 * 60, "GET", "/new", 0.01, True, 4)
        (((method, route), count),) = timeline.routes(MINUTE + 15 * 60).items()
        assert (method, route, count.errors, count.statements) == ("GET", "/new", 1, 4)
        assert len(timeline.routes(MINUTE + 14 * 60)) == 2

    def test_does_not_grow(self) -> None:
        timeline = Timeline()
        for number in range(SECONDS_KEPT + 100):
            second(timeline, MINUTE + number, 1)
        assert len(timeline.seconds) == SECONDS_KEPT
        assert timeline.minutes.maxlen == MINUTES_KEPT
