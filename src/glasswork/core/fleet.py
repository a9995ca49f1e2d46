"""What all processes say of themselves, put together: counts and sketches add up exactly."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import chain
from typing import Any

from glasswork.core.instance import RECENT_SECONDS, Answer
from glasswork.core.telemetry.timeline import ROUTE_MINUTES, Count, Gauges, count_from_json

_SUMMED = {"in_flight", "pool_used", "pool_max", "pool_waiting", "rss_mb"}


def frame(answers: Sequence[Answer]) -> Answer:
    points = [answer["point"] for answer in answers if answer["point"]]
    instances = [answer["instance"] for answer in answers]
    recent = _sum(answer["recent"] for answer in answers)
    return {
        "totals": {
            "requests": sum(answer["total"]["requests"] for answer in answers),
            "errors": sum(answer["total"]["errors"] for answer in answers),
        },
        "now": {
            "rate": round(recent.requests / RECENT_SECONDS, 2),
            "error_share": round(recent.errors / recent.requests, 5) if recent.requests else 0,
            **_percentiles(recent),
            "in_flight": sum(instance["in_flight"] for instance in instances),
        },
        "point": _point(points),
        "instances": instances,
    }


def history(answers: Sequence[Answer]) -> Sequence[Answer]:
    """One point for each time that anybody has one for; oldest first."""
    by_time: dict[int, list[Any]] = {}
    for point in chain.from_iterable(answers):
        by_time.setdefault(point["at"], []).append(point)
    return [_point(by_time[at]) for at in sorted(by_time)]


def routes(answers: Sequence[Answer]) -> Sequence[Answer]:
    """Busiest first."""
    by_name: dict[tuple[str, str], list[Any]] = {}
    for route in chain.from_iterable(answers):
        by_name.setdefault((route["method"], route["route"]), []).append(route["count"])
    counts = {name: _sum(told) for name, told in by_name.items()}
    return [
        {
            "method": method,
            "route": route,
            "requests": count.requests,
            "rate": round(count.requests / (ROUTE_MINUTES * 60), 3),
            "errors": count.errors,
            "statements": round(count.statements / count.requests, 2),
            **_percentiles(count),
        }
        for (method, route), count in sorted(counts.items(), key=lambda item: -item[1].requests)
    ]


def requests(answers: Sequence[Answer], order: str, limit: int) -> Sequence[Answer]:
    by = "duration" if order == "slow" else "at"
    return sorted(chain.from_iterable(answers), key=lambda summary: -summary[by])[:limit]


def request(answers: Sequence[Answer]) -> Sequence[Answer]:
    """In the order in which they began; the times of all are milliseconds since the first one's start."""
    entries = sorted(
        chain.from_iterable(answers), key=lambda entry: (entry["kind"] != "request", entry["at"])
    )
    if not entries:
        return []
    start = min(entry["at"] for entry in entries)
    return [
        entry
        | {
            "offset": _since(start, entry["at"]),
            "spans": [_offset(span, "start", start) for span in entry["spans"]],
            "lines": [_offset(line, "at", start) for line in entry["lines"]],
        }
        for entry in entries
    ]


def levels(answers: Sequence[Answer]) -> Sequence[Answer]:
    """As they are here; a logger that somebody has set for a while, as that process says."""
    found = {level["name"]: level for level in answers[0]}
    for level in chain.from_iterable(answers):
        if level["until"] or level["name"] not in found:
            found[level["name"]] = level
    return list(found.values())


def _point(points: Sequence[Mapping[str, Any]]) -> Answer:
    if not points:
        return None
    count = _sum(point["count"] for point in points)
    return {
        "at": max(point["at"] for point in points),
        "requests": count.requests,
        "errors": count.errors,
        **_percentiles(count),
        **_gauges([point["gauges"] for point in points]),
    }


def _gauges(many: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums where they add up, else the worst."""
    names = [field.name for field in fields(Gauges)]
    found = {name: (sum if name in _SUMMED else max)(each[name] for each in many) for name in names}
    return found | {"is_ready": all(each["is_ready"] for each in many)}


def _sum(told: Iterable[Mapping[str, Any]]) -> Count:
    found = Count()
    for each in told:
        found.merge(count_from_json(each))
    return found


def _percentiles(count: Count) -> dict[str, float | None]:
    seconds = {f"p{percent}": count.durations.percentile(percent) for percent in (50, 95, 99)}
    return {name: None if value is None else round(value * 1000, 2) for name, value in seconds.items()}


def _offset(timed: Mapping[str, Any], name: str, start: float) -> dict[str, Any]:
    rest = {key: value for key, value in timed.items() if key != name}
    return rest | {"offset": _since(start, timed[name])}


def _since(start: float, at: float) -> float:
    return round((at - start) * 1000, 2)
