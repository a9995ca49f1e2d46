"""docs/performance.md: the parts of it that are measured, between marks; the words around them stay.

By itself it writes the page again from the last results: `python bench/report.py`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from journeys import JOURNEYS
from plots import draw
from results import APP, CEILING, MORE_ROUTES, NO_SIGNALS, Results, app_us, database_us, load, ratio
from targets import TARGETS

PAGE = Path(__file__).parents[1] / "docs/performance.md"
BEGIN, END = "<!-- measured: {} -->\n", "<!-- end -->"
BACKGROUND = {"drain": "job drain (a mail)", "import": "import (a row)"}

THREE = 3
"""Digits are shown, or as many as the whole number has."""


def write_page(results: Results) -> None:
    PAGE.write_text(page_of(results, PAGE.read_text()))
    draw(results)
    print(f"Written to {PAGE}.")


def page_of(results: Results, text: str) -> str:
    """Return the page with what was measured this time."""
    for name, lines in {
        "machine": machine(results),
        "targets": targets(results),
        "journeys": journeys(results),
        "background": background(results),
        "growth": growth(results),
        "layers": layers(results),
    }.items():
        text = replace_part(text, name, lines)
    return text


def replace_part(text: str, name: str, lines: Iterable[str]) -> str:
    mark = BEGIN.format(name)
    before, _, rest = text.partition(mark)
    assert rest, f"there is no part {name}"
    after = rest.partition(END)[2]
    return before + mark + "".join(f"{line}\n" for line in lines) + END + after


def machine(results: Results) -> Iterator[str]:
    about = results.machine
    yield (
        f"{about['at']}, commit {about['commit']}: {about['processor']}, {about['cores']} cores,"
        f" {about['memory']}, {about['system']}, {about['python']}. Pinned: {about['pinned']}."
    )
    yield f"Packages: {about['packages']}. Options: {about['options']}."


def targets(results: Results) -> Iterator[str]:
    yield from table("Target | Must | Reach for | Measured | Holds")
    for target in TARGETS:
        unit = target.unit
        reach = "" if target.reach is None else f"{target.reach:g}{unit}"
        yield row(
            target.title,
            f"{target.must:g}{unit}",
            reach,
            number(target.measured(results), unit),
            target.holds(results),
        )


def journeys(results: Results) -> Iterator[str]:
    yield f"At {results.main_size:,} tasks."
    yield ""
    yield from table(
        "Journey | App CPU, µs | Ceiling, µs | Times | Database CPU, µs | Ceiling, µs | p50, ms | p99, ms"
        " | Requests/s | Ceiling | Round trips"
    )
    for journey in JOURNEYS:
        name = journey.name
        if not results.costs(name, APP):
            continue
        own, least = (results.cost(app_us, name, server) for server in (APP, CEILING))
        yield row(
            journey.title,
            number(own),
            number(least),
            number(ratio(own, least)),
            number(results.cost(database_us, name)),
            number(results.cost(database_us, name, CEILING)),
            number(results.cost(lambda cost: cost.p50_ms, name)),
            number(results.cost(lambda cost: cost.p99_ms, name)),
            number(results.cost(lambda cost: cost.per_second, name)),
            number(results.cost(lambda cost: cost.per_second, name, CEILING)),
            str(results.trips.get(name, "")),
        )


def background(results: Results) -> Iterator[str]:
    yield from table(
        "Work | App CPU, µs | By hand, µs | Times | Database CPU, µs | By hand, µs | A second | By hand"
    )
    for name, title in BACKGROUND.items():
        own, least = (results.background(lambda work: work.app_us, name, server) for server in (APP, CEILING))
        yield row(
            title,
            number(own),
            number(least),
            number(ratio(own, least)),
            *(
                number(results.background(lambda work: work.database_us, name, server))
                for server in (APP, CEILING)
            ),
            *(
                number(results.background(lambda work: work.per_second, name, server))
                for server in (APP, CEILING)
            ),
        )


def growth(results: Results) -> Iterator[str]:
    sizes = sorted({sample.tasks for sample in results.samples})
    yield from table("CPU per request, µs | " + " | ".join(f"{size:,} tasks" for size in sizes))
    for name in ("get", "list"):
        for title, of in (("app", app_us), ("database", database_us)):
            yield row(f"{name}, {title}", *(number(results.cost(of, name, APP, size)) for size in sizes))


def layers(results: Results) -> Iterator[str]:
    yield from table("App CPU per request, µs | get | list")
    for server in (CEILING, NO_SIGNALS, APP, MORE_ROUTES):
        yield row(server, *(number(results.cost(app_us, name, server)) for name in ("get", "list")))


def table(heads: str) -> Iterator[str]:
    yield f"| {heads} |"
    yield "|---" + "|---:" * heads.count(" | ") + "|"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "-"
    digits = max(THREE - len(f"{abs(value):.0f}"), 0)
    return f"{value:,.{digits}f}{unit}"


if __name__ == "__main__":
    write_page(load())
