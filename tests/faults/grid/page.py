"""Write docs/faults.md from the results of a run: `uv run task fault-grid`."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from .catalogue import FAULTS, Fault
from .cells import PROPERTY, SEEN_BY, Cell
from .meeting import JOURNEYS

PAGE = Path(__file__).parents[3] / "docs/faults.md"
NAMES = [kind.name for kind in JOURNEYS]

_HEAD = """# Faults

What goes wrong, and what callers see of it. Made by `uv run task fault-grid`, of what was seen on two busy
cores: real processes, a real PostgreSQL, Redis and SMTP server; processes that are stopped and
killed, connections that are cut, disks that are full. Twelve journeys go on side by side before, during and
after each fault. Of each cell the run checks four things: only the answers that are named here; how long the
slowest may take; that what was acknowledged is there, once, and of what was refused nothing; and that all is
well again within seconds, without a restart.

`ok`: the journey did not notice. A number: it was told so, too. `test`: tests of the fault's own go this way,
and are named below.

"""


@dataclass
class Seen:
    """What a run has seen of one fault."""

    cells: dict[str, list[Cell]] = field(default_factory=lambda: defaultdict(list))
    """By journey: one for each way in which the fault comes."""
    tests: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Journeys by the test that goes them."""


def read(*results: Path) -> dict[str, Seen]:
    """Raises ValueError where not all went well."""
    found: dict[str, Seen] = defaultdict(Seen)
    cases = (case for each in results for case in ET.parse(each).iter("testcase"))  # noqa: S314 (our own)
    for case in cases:
        name = f"{case.get('classname')}.{case.get('name')}"
        if any(case.find(bad) is not None for bad in ("failure", "error", "skipped")):
            raise ValueError(f"{name} has not passed")
        for each in case.iter("property"):
            value = each.get("value") or ""
            if each.get("name") == PROPERTY:
                cell = Cell.read(value)
                found[cell.fault].cells[cell.journey].append(cell)
            elif each.get("name") == SEEN_BY:
                fault, *journeys = value.split(",")
                found[fault].tests[name.partition("[")[0]] = journeys
    return found


def page(seen: dict[str, Seen]) -> str:
    return (
        _HEAD
        + "\n".join(_overview(seen))
        + "\n"
        + "".join(_section(each, seen[each.number]) for each in FAULTS)
    )


def _overview(seen: dict[str, Seen]) -> Iterator[str]:
    yield f"| | {' | '.join(NAMES)} |"
    yield f"|---|{'---|' * len(NAMES)}"
    for fault in FAULTS:
        yield f"| {fault.number} | {' | '.join(_mark(seen[fault.number], name) for name in NAMES)} |"


def _mark(seen: Seen, journey: str) -> str:
    if cells := seen.cells.get(journey):
        refusals = sorted({status for cell in cells for status in cell.statuses if status[0] != "2"})
        return ", ".join(refusals) or "ok"
    return "test" if any(journey in journeys for journeys in seen.tests.values()) else ""


def _section(fault: Fault, seen: Seen) -> str:
    lines = [f"\n## {fault.number}: {fault.name}\n", f"{fault.seen}\n"]
    if seen.cells:
        lines += ["| | answers | slowest | well again after | what holds |", "|---|---|---|---|---|"]
        lines += [_row(name, seen.cells[name]) for name in NAMES if name in seen.cells]
    lines += [_named(test, journeys) for test, journeys in sorted(seen.tests.items())]
    return "\n".join(lines) + "\n"


def _row(name: str, cells: list[Cell]) -> str:
    statuses = sorted({status for cell in cells for status in cell.statuses})
    slowest, recovery = max(cell.slowest for cell in cells), max(cell.recovery for cell in cells)
    return f"| {name} | {', '.join(statuses)} | {slowest:.1f} s | {recovery:.1f} s | {cells[0].holds} |"


def _named(test: str, journeys: Iterable[str]) -> str:
    return f"- `{test}` ({', '.join(journeys)})"


if __name__ == "__main__":
    PAGE.write_text(page(read(*map(Path, sys.argv[1:]))))
