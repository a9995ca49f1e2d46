"""What a run sees of each fault at each journey, kept with the results of its tests."""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass

PROPERTY, SEEN_BY = "cell", "seen by"
"""Of a test's result: what it has seen at one journey; and, of a test that tells less, fault and journeys."""


@dataclass(frozen=True)
class Cell:
    fault: str
    journey: str
    statuses: list[str]
    """`broken` where there was no answer."""
    slowest: float
    """In seconds, as `recovery`: of all answers while the fault was there."""
    recovery: float
    """From its end until it was done, and had had its effect."""
    holds: str

    def written(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Cell":
        return cls(**json.loads(text))


class Cells:
    def __init__(self, fault: str, keep: Callable[[str, object], None]) -> None:
        self._fault = fault
        self._keep = keep

    def saw(
        self,
        journey: str,
        statuses: Collection[int | None],
        slowest: float,
        recovery: float,
        holds: str,
    ) -> None:
        names = sorted("broken" if status is None else str(status) for status in set(statuses))
        cell = Cell(self._fault, journey, names, round(slowest, 2), round(recovery, 2), holds)
        self._keep(PROPERTY, cell.written())
        print(f"{journey}: {', '.join(names)}; {slowest:.2f} s; {recovery:.2f} s; {holds}")  # noqa: T201 (for `-rP`)
