"""What was to be reached, and what was."""

from collections.abc import Callable
from dataclasses import dataclass

from journeys import READS
from results import (
    APP,
    CEILING,
    MORE_ROUTES,
    NO_SIGNALS,
    Results,
    app_us,
    database_us,
    middle,
    ratio,
    tail,
)

SMALL, LARGE = 10_000, 1_000_000


@dataclass(frozen=True)
class Target:
    title: str
    must: float
    reach: float | None
    measured: Callable[[Results], float | None]
    unit: str = " x"

    def holds(self, results: Results) -> str:
        found = self.measured(results)
        if found is None:
            return "not measured"
        if self.reach is not None and found <= self.reach:
            return "yes, reached"
        return "yes" if found <= self.must else "**no**"


def _to_ceiling(journey: str) -> Callable[[Results], float | None]:
    return lambda results: ratio(results.cost(app_us, journey), results.cost(app_us, journey, CEILING))


def _against(journey: str, one: str, other: str) -> Callable[[Results], float | None]:
    return lambda results: ratio(results.cost(app_us, journey, one), results.cost(app_us, journey, other))


def _growth(of: Callable[..., float]) -> Callable[[Results], float | None]:
    """The worse of get and list."""

    def grown(results: Results) -> float | None:
        found = [
            ratio(results.cost(of, name, APP, LARGE), results.cost(of, name, APP, SMALL))
            for name in ("get", "list")
        ]
        return max((each for each in found if each is not None), default=None)

    return grown


def _tail(results: Results) -> float | None:
    """The worst of the reads."""
    found = [results.cost(tail, journey.name) for journey in READS]
    return max((each for each in found if each is not None), default=None)


def _most_trips(results: Results) -> float | None:
    return max(
        (results.trips[journey.name] for journey in READS if journey.name in results.trips), default=None
    )


TARGETS = (
    Target("get a task, app CPU against the ceiling", 4, 2, _to_ceiling("get")),
    Target("list 50 tasks, app CPU against the ceiling", 2.2, 1.4, _to_ceiling("list")),
    Target("create a task (with event), app CPU against the ceiling", 6, 3.5, _to_ceiling("create")),
    Target("round trips of an authorised read, at most", 1, 1, _most_trips, ""),
    Target("all signals on against off, get", 1.5, 1.2, _against("get", APP, NO_SIGNALS)),
    Target("all signals on against off, list", 1.3, 1.1, _against("list", APP, NO_SIGNALS)),
    Target("80 more routes against none, get", 1.1, 1.02, _against("get", MORE_ROUTES, APP)),
    Target("80 more routes against none, list", 1.1, 1.02, _against("list", MORE_ROUTES, APP)),
    Target("1M against 10k tasks, app CPU", 1.05, None, _growth(app_us)),
    Target("1M against 10k tasks, database CPU", 1.5, None, _growth(database_us)),
    Target("p99 against p50 at 32 connections, the worst read", 2, 1.3, _tail),
    Target("memory of one API process", 150, 110, lambda results: middle(results.megabytes), " MiB"),
    Target(
        "start to the first answer, warm data directory",
        3.5,
        2,
        lambda results: middle(results.start_seconds),
        " s",
    ),
)
