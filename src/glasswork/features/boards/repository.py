from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Interval,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from glasswork.core.actor import Actor
from glasswork.core.cache import KEPT_SECONDS
from glasswork.core.events import EventCounter
from glasswork.core.local_time import Moments, Period
from glasswork.core.paging import SortKey, cursor_behind
from glasswork.core.schemas import Text as TextValue
from glasswork.core.statements import AnyRow, Read, Record, row_of
from glasswork.features.projects.access import access
from glasswork.features.projects.models import Category, Status
from glasswork.features.search.schemas import TaskQuery
from glasswork.features.tasks.access import TASKS, TaskRow
from glasswork.features.tasks.models import Task

from .schemas import ColumnStatus

MAX_COLUMNS: Final = 50

_WORKSPACE_ID, _PROJECT_ID = (bindparam(name, type_=Uuid()) for name in ("workspace_id", "project_id"))
_KEPT = literal_column(f"interval '{KEPT_SECONDS} s'", Interval())
_SORT_KEYS = {"position": SortKey.of(Task.position, TextValue)}

# What is counted and put in order are lean rows; those that are shown are completed afterwards.
_counted, _placed = aliased(Task), aliased(Task)


def _in_column(task: type[Task], status_id: Any) -> ColumnElement[bool]:
    """No more than the index of boards holds, so that to count does not visit the rows."""
    return and_(
        task.status_id == status_id,
        task.deleted_at.is_(None),
        task.archived_at.is_(None),
    )


_columns = (
    select(
        Status.id,
        Status.key,
        Status.name,
        Status.category,
        Status.color,
        Status.position,
        select(func.count())
        .select_from(_counted)
        .where(_in_column(_counted, Status.id))
        .scalar_subquery()
        .label("count"),
    )
    .join(access, access.c.project_id == Status.project_id)
    .where(Status.project_id == _PROJECT_ID)
    .order_by(Status.position, Status.id)
    .limit(MAX_COLUMNS)
    .cte("columns")
)
_tasks = TASKS.subquery("shown")


@cache
def _board(limit: int) -> Read:
    """The planner must see the limit: for one that is a parameter it gets ready to show a tenth of all."""
    places = (
        select(_placed.id, _placed.position)
        .where(_in_column(_placed, _columns.c.id))
        .order_by(_placed.position)
        .limit(literal_column(str(limit), Integer()))
        .lateral("places")
    )
    return Read(
        select(
            *(column.label(f"column_{column.name}") for column in _columns.c),
            *_tasks.c,
            places.c.position.label("sort_0"),
            places.c.id.label("sort_1"),
        )
        .select_from(_columns.outerjoin(places, true()).outerjoin(_tasks, _tasks.c.id == places.c.id))
        .order_by(_columns.c.position, _columns.c.id, places.c.position)
    )


_STANDING = Read(
    select(
        access.c.workspace_id,
        func.coalesce(EventCounter.last_seq, 0).label("last_seq"),
        func.now().label("now"),
    )
    .outerjoin(EventCounter, EventCounter.workspace_id == access.c.workspace_id)
    .where(access.c.project_id == _PROJECT_ID)
)

_IS_OPEN = Status.category != Category.DONE
_today = Moments.of(Period.TODAY, bindparam("time_zone", type_=Text()))
# As subqueries they are computed once, and not for every task.
_midnight, _next_midnight = (select(moment).scalar_subquery() for moment in (_today.first, _today.end))
_COUNTS: dict[str, ColumnElement[int]] = {
    "count": func.count(Task.id),
    "open": func.count(Task.id).filter(_IS_OPEN),
    "overdue": func.count(Task.id).filter(_IS_OPEN, Task.due_at < func.now()),
    "due_today": func.count(Task.id).filter(_IS_OPEN, Task.due_at >= _midnight, Task.due_at < _next_midnight),
    "unassigned": func.count(Task.id).filter(_IS_OPEN, Task.assignee_id.is_(None)),
    "estimate_minutes": func.coalesce(func.sum(Task.estimate_minutes), 0),
    "open_estimate_minutes": func.coalesce(func.sum(Task.estimate_minutes).filter(_IS_OPEN), 0),
}
_next_due = func.min(Task.due_at).filter(_IS_OPEN, Task.due_at >= func.now())
_last_seq = select(EventCounter.last_seq).where(EventCounter.workspace_id == _WORKSPACE_ID).scalar_subquery()
# Tasks are counted once, into a group for each status, priority and assignee; the sets are sums of those few.
_groups = (
    select(
        Status.id.label("status_id"),
        Task.priority,
        Task.assignee_id,
        *(count.label(name) for name, count in _COUNTS.items()),
        _next_due.label("next_due"),
    )
    .select_from(Status)
    .outerjoin(Task, _in_column(Task, Status.id))
    .where(Status.workspace_id == _WORKSPACE_ID, Status.project_id == _PROJECT_ID)
    .group_by(Status.id, Task.priority, Task.assignee_id)
    .cte("groups")
)
_SUMMARY = Read(
    select(
        # Which of the sets a row is of: 3, 5, 6 or 7.
        func.grouping(Status.id, _groups.c.priority, _groups.c.assignee_id).label("set"),
        Status.key.label("status"),
        Status.category,
        _groups.c.priority,
        _groups.c.assignee_id,
        *(cast(func.sum(_groups.c[name]), BigInteger()).label(name) for name in _COUNTS),
        func.coalesce(_last_seq, 0).label("last_seq"),
        # When time alone changes it: a task becomes overdue, or the day ends.
        func.least(func.min(_groups.c.next_due), _next_midnight, func.now() + _KEPT).label("until"),
    )
    .select_from(_groups)
    .join(Status, Status.id == _groups.c.status_id)
    .group_by(
        func.grouping_sets(
            tuple_(Status.id, Status.key, Status.category, Status.position),
            tuple_(_groups.c.priority),
            tuple_(_groups.c.assignee_id),
            tuple_(),
        )
    )
    .order_by(Status.position, func.sum(_groups.c["count"]).desc(), _groups.c.assignee_id)
)
BY_STATUS, BY_PRIORITY, BY_ASSIGNEE, ALL = 3, 5, 6, 7


_TASK = len(_columns.c)
"""Where the columns of the task begin in a row of the board; the last two are its place."""
_StatusRow = row_of(ColumnStatus)


@dataclass(frozen=True, slots=True)
class FoundColumn:
    status: Any
    """A row of `ColumnStatus`."""
    count: int
    tasks: Sequence[tuple[AnyRow, Sequence[Any]]]
    """Rows of `TaskRead`, each with its place in the order."""


class BoardRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def board(self, actor: Actor, project_id: UUID, limit: int) -> Sequence[FoundColumn]:
        """Return the columns, each with up to `limit` tasks."""
        binds = actor.binds | {"project_id": project_id}
        records = await _board(limit).records(self._session, binds)
        by_status = groupby(records, key=itemgetter(0))
        return [_found(list(of_status)) for _, of_status in by_status]

    async def find_standing(self, actor: Actor, project_id: UUID) -> AnyRow | None:
        """Return its `workspace_id`, the `last_seq` there and what time is `now`, if the actor may see it."""
        return await _STANDING.find(self._session, actor.binds | {"project_id": project_id})

    async def summary(
        self, workspace_id: UUID, project_id: UUID, time_zone: str
    ) -> Mapping[int, Sequence[AnyRow]]:
        """Return the counts by what they are of, those of statuses in their order; rights are not asked for.

        That of all tells the `last_seq` of events that are in them, and `until` when they hold.
        """
        binds = {"workspace_id": workspace_id, "project_id": project_id, "time_zone": time_zone}
        rows = await _SUMMARY.all(self._session, binds)
        sets = (BY_STATUS, BY_PRIORITY, BY_ASSIGNEE, ALL)
        return {each: [row for row in rows if row.set == each] for each in sets}


def _found(records: Sequence[Record]) -> FoundColumn:
    *status, count = records[0][:_TASK]
    tasks = [(TaskRow(*record[_TASK:-2]), record[-2:]) for record in records if record[_TASK] is not None]
    return FoundColumn(_StatusRow(*status), count, tasks)


def cursor_in(status: str, place: Sequence[Any]) -> str:
    """The cursor behind the task in this place of the list of all of its status."""
    return cursor_behind(TaskQuery(status=[status], sort="position"), _SORT_KEYS, Task.id, place)
