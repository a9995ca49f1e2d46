"""How long a report may be, and how its numbers are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from glasswork.core.charts import (
    Areas,
    Bars,
    Chart,
    Colour,
    Drawing,
    Lines,
    Points,
    Rows,
    Series,
    draw,
    limit_resources,
)
from glasswork.features.measures.policy import Categories, Period, TaskRow, compute
from glasswork.features.measures.schemas import Numbers, Workload

from .models import ChartKind

MAX_DAYS: Final = 366
MAX_LISTED: Final = 1000
"""Finished tasks, one by one: the last; all are counted and drawn."""
MAX_ROWS: Final = 20
"""Of the chart of the workload; the others are one row."""
_DAY_HOURS: Final = 24
_SHORT_HOURS: Final = 48
"""Where nothing took longer, it is told in hours."""

_DONE, _IN_PROGRESS, _TODO = Colour.GREEN, Colour.ORANGE, Colour.BLUE


@dataclass(frozen=True, slots=True)
class Made:
    numbers: Numbers
    drawings: Mapping[ChartKind, Drawing]


def make_report(
    tasks: Sequence[TaskRow], categories: Categories, names: Mapping[UUID, str], period: Period, of: str
) -> Made:
    """Compute and draw, in a child process."""
    limit_resources()
    numbers = compute(tasks, categories, names, period)
    drawings = {kind: draw(chart) for kind, chart in charts_of(numbers, period, of).items()}
    times = numbers.cycle_time
    shown = times.model_copy(update={"tasks": times.tasks[-MAX_LISTED:]})
    return Made(numbers.model_copy(update={"cycle_time": shown}), drawings)


def charts_of(numbers: Numbers, period: Period, of: str) -> Mapping[ChartKind, Chart]:
    """`of` is the name of the project, or of the workspace."""
    return {
        ChartKind.BURN_UP: _burn_up(numbers, period, of),
        ChartKind.CUMULATIVE_FLOW: _cumulative_flow(numbers, period, of),
        ChartKind.CYCLE_TIME: _cycle_time(numbers, period, of),
        ChartKind.THROUGHPUT: _throughput(numbers, of),
        ChartKind.WORKLOAD: _workload(numbers, of),
    }


def _burn_up(numbers: Numbers, period: Period, of: str) -> Chart:
    days = numbers.burn_up
    panels = [
        Lines(
            "Tasks",
            [
                Series("Scope", Colour.BLUE, [day.scope for day in days]),
                Series("Done", _DONE, [day.done for day in days]),
            ],
        ),
        Lines(
            "Estimated hours",
            [
                Series("Scope", Colour.BLUE, [day.scope_minutes / 60 for day in days]),
                Series("Done", _DONE, [day.done_minutes / 60 for day in days]),
            ],
        ),
    ]
    shown = [panel for panel in panels if any(any(each.values) for each in panel.series)]
    return Chart(f"Burn-up: {of}", f"At the end of the day ({period.time_zone})", period.days, shown)


def _cumulative_flow(numbers: Numbers, period: Period, of: str) -> Chart:
    days = numbers.cumulative_flow
    series = [
        Series("Done", _DONE, [day.done for day in days]),
        Series("In progress", _IN_PROGRESS, [day.in_progress for day in days]),
        Series("To do", _TODO, [day.todo for day in days]),
    ]
    shown = [Areas("Tasks", series)] if any(any(each.values) for each in series) else []
    return Chart(f"Cumulative flow: {of}", f"At the end of the day ({period.time_zone})", period.days, shown)


def _cycle_time(numbers: Numbers, period: Period, of: str) -> Chart:
    spread = numbers.cycle_time.cycle
    hours = [
        (period.at(task.finished_at), task.cycle_hours)
        for task in numbers.cycle_time.tasks
        if task.cycle_hours is not None
    ]
    is_short = all(each <= _SHORT_HOURS for _, each in hours)
    unit, size = ("hours", 1) if is_short else ("days", _DAY_HOURS)
    levels = {"50": spread.p50, "85": spread.p85, "95": spread.p95}
    panel = Points(
        f"Time from in progress to done ({unit})",
        "A task",
        [(at, each / size) for at, each in hours],
        {
            f"{percent} % within {level / size:.1f} {unit}": level / size
            for percent, level in levels.items()
            if level is not None
        },
    )
    shown = [panel] if hours else []
    return Chart(f"Cycle time: {of}", f"Finished on ({period.time_zone})", period.days, shown)


def _throughput(numbers: Numbers, of: str) -> Chart:
    counts = [week.finished for week in numbers.throughput]
    shown = [Bars("Tasks finished", counts)] if any(counts) else []
    weeks = [week.week for week in numbers.throughput]
    return Chart(f"Throughput: {of}", "Week that begins on", weeks, shown)


def _workload(numbers: Numbers, of: str) -> Chart:
    first, others = numbers.workload[:MAX_ROWS], numbers.workload[MAX_ROWS:]
    names = [_name_of(load) for load in first]
    in_progress = [load.in_progress for load in first]
    todo = [load.todo for load in first]
    if others:
        names.append(f"{len(others)} others")
        in_progress.append(sum(load.in_progress for load in others))
        todo.append(sum(load.todo for load in others))
    series = [Series("In progress", _IN_PROGRESS, in_progress), Series("To do", _TODO, todo)]
    shown = [Rows("Assignee", names, series)] if names else []
    return Chart(f"Workload: {of}", "Open tasks", [], shown)


def _name_of(load: Workload) -> str:
    return "Nobody" if load.user_id is None else load.name or "Somebody"
