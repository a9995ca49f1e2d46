"""How requests went, second by second, from the same values as the metrics: what `/ops` draws."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import ceil, log
from typing import Any, Self

SECONDS_KEPT = 15 * 60
MINUTES_KEPT = 24 * 60
MINUTE = 60
ROUTE_MINUTES = 15

_SMALLEST = 0.0001
_GROWTH = log(1.1)


@dataclass(slots=True)
class Sketch:
    """Durations, counted in buckets each a tenth wider than the one before: sums of sketches are exact.

    A percentile is at most 5 % away from the true one.
    """

    counts: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        bucket = ceil(log(max(seconds, _SMALLEST) / _SMALLEST) / _GROWTH)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def merge(self, other: Self) -> None:
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count

    def percentile(self, percent: float) -> float | None:
        """Return seconds; None when there is nothing."""
        rank, seen = sum(self.counts.values()) * percent / 100, 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                return float(_SMALLEST * 1.1 ** (bucket - 0.5))
        return None


@dataclass(slots=True)
class Count:
    """Requests of some time."""

    requests: int = 0
    errors: int = 0
    statements: int = 0
    durations: Sketch = field(default_factory=Sketch)

    def add(self, seconds: float, is_error: bool, statements: int) -> None:
        self.requests += 1
        self.errors += is_error
        self.statements += statements
        self.durations.add(seconds)

    def merge(self, other: Self) -> None:
        self.requests += other.requests
        self.errors += other.errors
        self.statements += other.statements
        self.durations.merge(other.durations)


@dataclass(frozen=True, slots=True)
class Gauges:
    """How the process was."""

    in_flight: int
    pool_used: int
    pool_max: int
    pool_waiting: int
    lag: float
    """Milliseconds, the worst of the second."""
    rss_mb: float
    is_ready: bool

    @classmethod
    def worst(cls, many: Iterable[Self]) -> Self:
        """Of one process over a time."""
        all_of_them = [asdict(each) for each in many]
        greatest = {name: max(each[name] for each in all_of_them) for name in all_of_them[0]}
        return cls(**greatest | {"is_ready": all(each["is_ready"] for each in all_of_them)})


@dataclass(frozen=True, slots=True)
class Point:
    at: int
    """Unix seconds, of the beginning."""
    count: Count
    gauges: Gauges


class Timeline:
    """The last quarter of an hour by seconds, the last day by minutes."""

    def __init__(self) -> None:
        self.total = Count()
        """Since the start; without its durations, which the seconds have."""
        self.seconds: deque[Point] = deque(maxlen=SECONDS_KEPT)
        self.minutes: deque[Point] = deque(maxlen=MINUTES_KEPT)
        self._current = Count()
        self._routes: dict[tuple[str, str], deque[tuple[int, Count]]] = {}

    def add(
        self, at: float, method: str, route: str, seconds: float, is_error: bool, statements: int
    ) -> None:
        self._current.add(seconds, is_error, statements)
        self.total.requests += 1
        self.total.errors += is_error
        self._minute_of(method, route, int(at // MINUTE)).add(seconds, is_error, statements)

    def tick(self, at: float, gauges: Gauges) -> None:
        """End a second."""
        self.seconds.append(Point(int(at), self._current, gauges))
        self._current = Count()
        minute = int(at) // MINUTE * MINUTE
        before = int(self.minutes[-1].at) + MINUTE if self.minutes else 0
        if minute > before:
            self._fold(minute)

    def recent(self, seconds: int) -> Count:
        """All of the last seconds that have ended."""
        found = Count()
        if self.seconds:
            since = self.seconds[-1].at - seconds
            for point in self.seconds:
                if point.at > since:
                    found.merge(point.count)
        return found

    def routes(self, now: float) -> Mapping[tuple[str, str], Count]:
        """Those of the last quarter of an hour, by method and route."""
        since = int(now // MINUTE) - ROUTE_MINUTES
        found = {}
        for name, minutes in self._routes.items():
            count = Count()
            for minute, of_minute in minutes:
                if minute > since:
                    count.merge(of_minute)
            if count.requests:
                found[name] = count
        return found

    def _minute_of(self, method: str, route: str, minute: int) -> Count:
        minutes = self._routes.setdefault((method, route), deque(maxlen=ROUTE_MINUTES))
        if not minutes or minutes[-1][0] != minute:
            minutes.append((minute, Count()))
        return minutes[-1][1]

    def _fold(self, minute: int) -> None:
        """Make one of the seconds of the minute that has ended."""
        last = [point for point in self.seconds if minute - MINUTE <= point.at < minute]
        if last:
            count = Count()
            for point in last:
                count.merge(point.count)
            self.minutes.append(Point(minute - MINUTE, count, Gauges.worst(p.gauges for p in last)))


def count_as_json(count: Count) -> dict[str, Any]:
    """As another process reads it; the durations as pairs of bucket and count."""
    return {
        "requests": count.requests,
        "errors": count.errors,
        "statements": count.statements,
        "durations": list(count.durations.counts.items()),
    }


def count_from_json(told: Mapping[str, Any]) -> Count:
    return Count(
        told["requests"],
        told["errors"],
        told["statements"],
        Sketch({int(bucket): int(count) for bucket, count in told["durations"]}),
    )
