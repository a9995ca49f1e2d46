from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from glasswork.core.paging import PageQuery, PageRead, sort_by
from glasswork.core.schemas import Input, Output, ProjectId, TaskId
from glasswork.core.statements import AnyRow
from glasswork.features.tasks.schemas import TaskRead


class TaskPosition(Input):
    after_id: TaskId | None = Field(description="The task that it shall follow; null: it shall be the first.")


class TaskMove(Input):
    project_id: ProjectId = Field(description="Of the same workspace.")


class Progress(Output):
    done: int
    total: int


class SubtaskQuery(PageQuery):
    sort: str = sort_by("position", "created_at", default="position")


class SubtaskPage(PageRead[TaskRead]):
    progress: Progress = Field(description="Of all of them, on this page or not.")


@dataclass(frozen=True, slots=True)
class Subtasks:
    items: Sequence[AnyRow]
    next_cursor: str | None
    total: int | None
    progress: Progress
