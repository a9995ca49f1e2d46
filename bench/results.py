"""What a run has measured, and its medians."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec
from measure import Cost
from work import Work

FOLDER = Path(__file__).parent / "results"
FILE = FOLDER / "latest.json"
NOISE = 0.2
"""Share of the cores that others may take; rounds with more are left out where two are left."""
FEWEST = 2

APP, CEILING, NO_SIGNALS, MORE_ROUTES = "app", "ceiling", "no signals", "80 more routes"


class Sample(msgspec.Struct):
    journey: str
    server: str
    tasks: int
    round: int
    cost: Cost


class WorkSample(msgspec.Struct):
    name: str
    server: str
    round: int
    work: Work


class Results(msgspec.Struct):
    machine: dict[str, str]
    main_size: int
    """Tasks where all journeys were measured."""
    samples: list[Sample] = []
    work: list[WorkSample] = []
    trips: dict[str, int] = {}
    """Round trips of a request of each journey."""
    megabytes: list[float] = []
    """Of one API process behind all journeys, in MiB; one a round."""
    start_seconds: list[float] = []
    """On a warm data directory, with the start of its database."""

    def costs(self, journey: str, server: str, tasks: int | None = None) -> list[Cost]:
        """One a round; those of quiet rounds, if there are enough of them."""
        tasks = tasks or self.main_size
        found = [
            sample.cost
            for sample in self.samples
            if (sample.journey, sample.server, sample.tasks) == (journey, server, tasks)
        ]
        quiet = [cost for cost in found if cost.foreign < NOISE]
        return quiet if len(quiet) >= FEWEST else found

    def cost(
        self, of: Callable[[Cost], float], journey: str, server: str = APP, tasks: int | None = None
    ) -> float | None:
        return middle([of(cost) for cost in self.costs(journey, server, tasks)])

    def background(self, of: Callable[[Work], float], name: str, server: str = APP) -> float | None:
        return middle([of(each.work) for each in self.work if (each.name, each.server) == (name, server)])

    def save(self, file: Path = FILE) -> None:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


def load(file: Path = FILE) -> Results:
    return msgspec.json.decode(file.read_bytes(), type=Results)


def middle(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def app_us(cost: Cost) -> float:
    return cost.app_us


def database_us(cost: Cost) -> float:
    return cost.database_us


def tail(cost: Cost) -> float:
    return cost.p99_ms / cost.p50_ms
