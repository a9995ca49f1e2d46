from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, Field

from glasswork.core.schemas import Color, Output, StatusId, TimeZone, UserId
from glasswork.features.projects.models import Category
from glasswork.features.tasks.models import Priority
from glasswork.features.tasks.schemas import TaskRead


class BoardQuery(BaseModel):
    limit: int = Field(20, ge=1, le=50, description="Tasks per column.")


class ColumnStatus(Output):
    id: StatusId
    key: str
    name: str
    category: Category
    color: Color
    position: int


class Column(Output):
    status: ColumnStatus
    count: int = Field(description="Of all tasks of the column.")
    items: list[TaskRead] = Field(description="The first, in the manual order.")
    next_cursor: str | None = Field(
        description="Goes on where `items` end, in the project's tasks with `status={key}&sort=position`."
    )


class Board(Output):
    columns: list[Column] = Field(
        description="In the order of the statuses, of which the first 50 are shown."
    )


class ShownColumn(msgspec.Struct):
    """A `Column`, with the rows that were read."""

    status: Any
    count: int
    items: Sequence[Any]
    next_cursor: str | None


class ShownBoard(msgspec.Struct):
    columns: Sequence[ShownColumn]


class SummaryQuery(BaseModel):
    time_zone: TimeZone = Field("UTC", description="Of the day that is today.")


class StatusCount(Output):
    status: str
    category: Category
    count: int


class AssigneeCount(Output):
    assignee_id: UserId
    count: int


class Summary(Output):
    """Of the tasks that are not archived; open are those that are not done."""

    count: int
    open: int
    overdue: int = Field(description="Open ones whose due date has passed.")
    due_today: int = Field(description="Open ones that are due on this day.")
    unassigned: int = Field(description="Open ones that are nobody's.")
    estimate_minutes: int
    open_estimate_minutes: int
    by_status: list[StatusCount]
    by_category: dict[Category, int]
    by_priority: dict[Priority, int]
    by_assignee: list[AssigneeCount] = Field(description="The 100 with the most tasks, most first.")
