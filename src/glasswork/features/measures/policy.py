"""How the tasks of a place went through some days, in numbers; docs/reports.md defines them."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import accumulate
from math import ceil
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from glasswork.features.projects.models import Category

from .schemas import (
    BurnUpDay,
    CycleTime,
    FinishedTask,
    FlowDay,
    Numbers,
    Spread,
    ThroughputWeek,
    Workload,
)

_HOUR: Final = timedelta(hours=1)

Step = tuple[datetime, Category]
"""From then on a task is in it."""


@dataclass(frozen=True)
class Period:
    first_day: date
    last_day: date
    time_zone: str
    as_of: datetime

    @cached_property
    def days(self) -> Sequence[date]:
        """Those that have begun."""
        last = min(self.last_day, self.as_of.astimezone(ZoneInfo(self.time_zone)).date())
        return [self.first_day + timedelta(n) for n in range((last - self.first_day).days + 1)]

    @cached_property
    def _starts(self) -> Sequence[datetime]:
        """Of each day, and of the one behind them; a day that has two midnights begins with the first."""
        zone = ZoneInfo(self.time_zone)
        days = [*self.days, self.first_day + timedelta(len(self.days))]
        return [datetime.combine(day, time(), zone).astimezone(UTC) for day in days]

    def place(self, moment: datetime) -> int:
        """Return the index of its day: -1 before all of them, and their number behind them."""
        return bisect_right(self._starts, moment) - 1

    def at(self, moment: datetime) -> float:
        """Return how many days, of whatever length, have gone by at a moment of the period."""
        place = self.place(moment)
        start, end = self._starts[place : place + 2]
        return place + (moment - start) / (end - start)

    def holds(self, moment: datetime) -> bool:
        return 0 <= self.place(moment) < len(self.days) and moment <= self.as_of


@dataclass(frozen=True, slots=True)
class Change:
    """What an event tells of a task: absent is None."""

    at: datetime
    project_id: UUID | None
    status: str | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as it is, and the changes that made it so, in their order."""

    id: UUID
    key: str
    category: Category
    created_at: datetime
    completed_at: datetime | None
    estimate_minutes: int | None
    assignee_id: UUID | None
    is_archived: bool
    changes: Sequence[Change]


Categories = Mapping[tuple[UUID, str], Category]
"""Of the statuses that there are, by project and key."""


def steps_of(task: TaskRow, categories: Categories, as_of: datetime) -> Sequence[Step]:
    """Return through which categories it went; the first is `todo`.

    A status that is gone by now tells nothing. What the log does not tell at all, as of an import, is told by
    `completed_at`; if that neither, it holds from `as_of` on.
    """
    steps: list[Step] = [(task.created_at, Category.TODO)]

    def go(category: Category, moment: datetime) -> None:
        if category is not steps[-1][1]:
            steps.append((max(moment, steps[-1][0]), category))

    project_id: Any = None
    status: Any = None
    for change in task.changes:
        project_id, status = change.project_id or project_id, change.status or status
        category = categories.get((project_id, status), steps[-1][1])
        go(category, change.completed_at or change.at)
    go(task.category, task.completed_at or as_of)
    return steps


def compute(
    tasks: Sequence[TaskRow], categories: Categories, names: Mapping[UUID, str], period: Period
) -> Numbers:
    """`names` are of whom tasks are assigned to."""
    steps = {task.id: steps_of(task, categories, period.as_of) for task in tasks}
    flow, burn_up = _flow(tasks, steps, period)
    finished = sorted(
        (
            task
            for task in tasks
            if task.category is Category.DONE and task.completed_at and period.holds(task.completed_at)
        ),
        key=lambda task: (task.completed_at, task.id),
    )
    return Numbers(
        as_of=period.as_of,
        burn_up=burn_up,
        cumulative_flow=flow,
        cycle_time=_cycle_time([_finished(task, steps[task.id]) for task in finished]),
        throughput=_throughput(finished, period),
        workload=_workload(tasks, names),
    )


def _flow(
    tasks: Sequence[TaskRow], steps: Mapping[UUID, Sequence[Step]], period: Period
) -> tuple[list[FlowDay], list[BurnUpDay]]:
    """Each step changes the counts of its day and of all that follow."""
    counts = {category: [0] * (len(period.days) + 1) for category in Category}
    minutes = {category: [0] * (len(period.days) + 1) for category in Category}
    for task in tasks:
        before: Category | None = None
        for moment, category in steps[task.id]:
            if moment > period.as_of:
                break
            place = max(0, period.place(moment))
            for changed, sign in ((category, 1), (before, -1)):
                if changed is not None:
                    counts[changed][place] += sign
                    minutes[changed][place] += sign * (task.estimate_minutes or 0)
            before = category
    todo, in_progress, done = (list(accumulate(counts[category])) for category in Category)
    estimates = [list(accumulate(minutes[category])) for category in Category]
    flow = [
        FlowDay(day=day, todo=todo[n], in_progress=in_progress[n], done=done[n])
        for n, day in enumerate(period.days)
    ]
    burn_up = [
        BurnUpDay(
            day=day.day,
            scope=day.todo + day.in_progress + day.done,
            done=day.done,
            scope_minutes=sum(each[n] for each in estimates),
            done_minutes=estimates[-1][n],
        )
        for n, day in enumerate(flow)
    ]
    return flow, burn_up


def _finished(task: TaskRow, steps: Sequence[Step]) -> FinishedTask:
    end = task.completed_at or steps[-1][0]
    start = next((at for at, category in steps if category is Category.IN_PROGRESS and at <= end), None)
    return FinishedTask(
        task_id=task.id,
        key=task.key,
        finished_at=end,
        cycle_hours=None if start is None else _hours(end - start),
        lead_hours=_hours(max(timedelta(), end - task.created_at)),
    )


def _hours(duration: timedelta) -> float:
    return round(duration / _HOUR, 2)


def _cycle_time(tasks: Sequence[FinishedTask]) -> CycleTime:
    return CycleTime(
        cycle=spread_of([task.cycle_hours for task in tasks if task.cycle_hours is not None]),
        lead=spread_of([task.lead_hours for task in tasks]),
        tasks=list(tasks),
    )


def spread_of(hours: Sequence[float]) -> Spread:
    """By nearest rank: each percentile is the time of some task."""
    ranked = sorted(hours)

    def percentile(percent: int) -> float | None:
        return ranked[ceil(len(ranked) * percent / 100) - 1] if ranked else None

    return Spread(count=len(ranked), p50=percentile(50), p85=percentile(85), p95=percentile(95))


def _throughput(finished: Sequence[TaskRow], period: Period) -> list[ThroughputWeek]:
    counts: Counter[date] = Counter()
    minutes: Counter[date] = Counter()
    for task in finished:
        week = _monday(period.days[period.place(task.completed_at or period.as_of)])
        counts[week] += 1
        minutes[week] += task.estimate_minutes or 0
    weeks = dict.fromkeys(map(_monday, period.days))
    return [ThroughputWeek(week=week, finished=counts[week], minutes=minutes[week]) for week in weeks]


def _monday(day: date) -> date:
    return day - timedelta(day.weekday())


def _workload(tasks: Sequence[TaskRow], names: Mapping[UUID, str]) -> list[Workload]:
    by_assignee: defaultdict[UUID | None, list[TaskRow]] = defaultdict(list)
    for task in tasks:
        if task.category is not Category.DONE and not task.is_archived:
            by_assignee[task.assignee_id].append(task)
    loads = (_load(user_id, names, mine) for user_id, mine in by_assignee.items())
    return sorted(
        loads, key=lambda load: (-(load.todo + load.in_progress), load.name or "", str(load.user_id))
    )


def _load(user_id: UUID | None, names: Mapping[UUID, str], tasks: Sequence[TaskRow]) -> Workload:
    categories = Counter(task.category for task in tasks)
    return Workload(
        user_id=user_id,
        name=None if user_id is None else names.get(user_id),
        todo=categories[Category.TODO],
        in_progress=categories[Category.IN_PROGRESS],
        estimate_minutes=sum(task.estimate_minutes or 0 for task in tasks),
        without_estimate=sum(task.estimate_minutes is None for task in tasks),
    )
