"""What several processes say, put together."""

from typing import Any

from glasswork.core import fleet
from glasswork.core.telemetry.timeline import Count, count_as_json

GAUGES = {
    "in_flight": 1,
    "pool_used": 2,
    "pool_max": 20,
    "pool_waiting": 0,
    "lag": 1.5,
    "rss_mb": 100.0,
    "is_ready": True,
}


def count(*seconds: float, errors: int = 0, statements: int = 0) -> Any:
    found = Count()
    for number, each in enumerate(seconds):
        found.add(each, number < errors, statements)
    return count_as_json(found)


def point(at: int, *seconds: float, **gauges: Any) -> Any:
    return {"at": at, "count": count(*seconds), "gauges": GAUGES | gauges}


def frame(name: str, requests: int, told: Any, in_flight: int = 0) -> Any:
    return {
        "instance": {"name": name, "in_flight": in_flight},
        "total": {"requests": requests, "errors": 1},
        "recent": told["count"] if told else count(),
        "point": told,
    }


def test_a_frame_is_that_of_all() -> None:
    one, other = frame("one", 5, point(9, 0.1, 0.1), 2), frame("other", 7, point(9, 0.3), 1)
    told = fleet.frame([one, other])
    assert told["totals"] == {"requests": 12, "errors": 2}
    assert (told["now"]["rate"], told["now"]["in_flight"]) == (0.05, 3)
    assert told["point"]["requests"] == 3
    assert [instance["name"] for instance in told["instances"]] == ["one", "other"]


def test_a_frame_before_the_first_second_has_no_point() -> None:
    told = fleet.frame([frame("one", 0, None)])
    assert told["point"] is None
    assert (told["now"]["p99"], told["now"]["error_share"]) == (None, 0)


def test_a_point_is_the_sum_or_the_worst() -> None:
    here, there = point(9, 0.1), point(9, lag=300, is_ready=False, pool_used=20)
    (told,) = fleet.history([[here], [there]])
    assert (told["pool_used"], told["pool_max"], told["rss_mb"]) == (22, 40, 200)
    assert (told["lag"], told["is_ready"]) == (300, False)


def test_a_history_has_the_times_that_anybody_has() -> None:
    told = fleet.history([[point(1, 0.1), point(2, 0.1)], [point(2, 0.1), point(3)]])
    assert [(each["at"], each["requests"]) for each in told] == [(1, 1), (2, 2), (3, 0)]


def test_routes_add_up_the_busiest_first() -> None:
    def route(name: str, told: Any) -> Any:
        return {"method": "GET", "route": name, "count": told}

    one = [route("/quiet", count(0.1)), route("/busy", count(0.1, 0.1, statements=1))]
    other = [route("/busy", count(0.1, 0.1, errors=1, statements=3))]
    told = fleet.routes([one, other])
    assert [(each["route"], each["requests"], each["errors"], each["statements"]) for each in told] == [
        ("/busy", 4, 1, 2.0),
        ("/quiet", 1, 0, 0.0),
    ]


def test_requests_are_the_newest_or_the_slowest_of_all() -> None:
    one = [{"at": 3, "duration": 1}, {"at": 1, "duration": 9}]
    other = [{"at": 2, "duration": 5}]
    assert [each["at"] for each in fleet.requests([one, other], "recent", 2)] == [3, 2]
    assert [each["at"] for each in fleet.requests([one, other], "slow", 3)] == [1, 2, 3]


def test_a_request_comes_before_what_follows_and_times_count_from_its_start() -> None:
    def entry(kind: str, at: float) -> Any:
        return {"kind": kind, "at": at, "spans": [{"start": at + 0.001}], "lines": [{"at": at + 0.002}]}

    ours = [entry("delivery", 9.9), entry("job", 10.2), entry("request", 10.0)]
    told = fleet.request([[entry("job", 10.5)], ours])
    assert [each["kind"] for each in told] == ["request", "delivery", "job", "job"]
    assert [each["offset"] for each in told] == [100, 0, 300, 600]
    assert told[3]["spans"] == [{"offset": 601}]
    assert told[3]["lines"] == [{"offset": 602}]
    assert fleet.request([[], []]) == []


def test_levels_are_ours_and_those_that_somebody_has_set_elsewhere() -> None:
    def level(name: str, until: float | None) -> Any:
        return {"name": name, "until": until}

    told = fleet.levels([[level("a", None), level("b", None)], [level("b", 9), level("c", None)]])
    assert told == [level("a", None), level("b", 9), level("c", None)]
