"""docs/scale.md: how large a machine is for how many people, by its model and what the last run has measured.

uv run python bench/capacity.py
"""

from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path

from measure import Cost
from report import replace_part, row, table
from results import Results, app_us, database_us, load, middle

PAGE = Path(__file__).parents[1] / "docs/scale.md"
HEADS = (
    "People at once | Requests/s | API processes | Cores, app + database | Memory | Connections | Disk a year"
)
PEOPLE = (10, 100, 1_000, 10_000)
"""At work at the same time."""

# What is assumed, and said on the page.
PER_PERSON = 0.1
"""Requests a second, in the busiest minutes."""
MIX = {
    "get": 0.33,
    "list": 0.30,
    "filtered": 0.10,
    "changes": 0.10,
    "board": 0.05,
    "search": 0.02,
    "patch": 0.07,
    "create": 0.03,
}
TASKS_A_YEAR = 2_500
"""Of a person: ten on each of 250 days."""
POOL = 10
DATABASE_MB, CONNECTION_MB = 512, 5
IN_USE = 0.1
"""Share of a year's indexes that memory should hold."""

# Of the model on the page.
LOAD = 0.7
TASK_BYTES, INDEX_BYTES = 2 * 2_600, 1_690
"""The first with its events and bloat."""


def lines(results: Results) -> Iterator[str]:
    yield from table(HEADS)
    for people in PEOPLE:
        yield row(*_sizes(results, people))


def _sizes(results: Results, people: int) -> Iterator[str]:
    rate = people * PER_PERSON
    app, database = (_mean(results, of) * rate / 1e6 / LOAD for of in (app_us, database_us))
    processes = ceil(app)
    workers = ceil(processes / 4)
    connections = (processes + workers) * (1.5 * POOL + 2) + 10
    memory = (processes + workers) * (middle(results.megabytes) or 0)
    memory += DATABASE_MB + connections * CONNECTION_MB
    tasks = people * TASKS_A_YEAR
    memory += tasks * INDEX_BYTES * IN_USE / 2**20
    yield f"{people:,}"
    yield f"{rate:,.0f}"
    yield f"{processes} and {workers} for jobs"
    yield f"{app:,.2f} + {database:,.2f}"
    yield f"{ceil(memory / 1024):,} GiB"
    yield f"{connections:,.0f}"
    yield f"{tasks * TASK_BYTES / 1e9:,.1f} GB"


def _mean(results: Results, of: Callable[[Cost], float]) -> float:
    return sum(share * (results.cost(of, journey) or 0) for journey, share in MIX.items())


def page_of(results: Results, text: str) -> str:
    return replace_part(text, "capacity", lines(results))


if __name__ == "__main__":
    PAGE.write_text(page_of(load(), PAGE.read_text()))
