from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from glasswork.core.concurrency import Precondition
from glasswork.core.schemas import Input, JsonNumber, Output, ProjectId, TaskId
from glasswork.features.placement.schemas import TaskMove, TaskPosition
from glasswork.features.tasks.schemas import TaskCreate, TaskRead, TaskUpdate

MOST = 500
"""Operations in one call."""

Version = Annotated[int, Field(ge=1, lt=2**31), JsonNumber]


class BulkMode(StrEnum):
    ATOMIC = "atomic"
    BEST_EFFORT = "best_effort"


class OfTask(Input):
    """An operation on a task that there is."""

    task_id: TaskId
    if_match: Version | None = Field(None, description="Only if the task still has this version.")

    @property
    def precondition(self) -> Precondition:
        return Precondition(None if self.if_match is None else frozenset([self.if_match]))


class BulkCreate(TaskCreate):
    op: Literal["create"]
    project_id: ProjectId

    @property
    def task(self) -> TaskCreate:
        return TaskCreate.model_validate(self.model_dump(include=set(TaskCreate.model_fields)))


class BulkUpdate(OfTask, TaskUpdate):
    op: Literal["update"]

    @property
    def changes(self) -> TaskUpdate:
        return TaskUpdate.model_validate(
            self.model_dump(include=set(TaskUpdate.model_fields), exclude_unset=True)
        )


class BulkAct(OfTask):
    op: Literal["complete", "reopen", "delete", "archive", "unarchive"]


class BulkRestore(Input):
    op: Literal["restore"]
    task_id: TaskId


class BulkMove(OfTask, TaskMove):
    op: Literal["move"]


class BulkPosition(OfTask, TaskPosition):
    op: Literal["position"]


BulkOperation = Annotated[
    BulkCreate | BulkUpdate | BulkAct | BulkRestore | BulkMove | BulkPosition, Field(discriminator="op")
]


class Bulk(Input):
    mode: BulkMode = Field(description="`atomic`: all of them or none; `best_effort`: those that can be.")
    operations: list[BulkOperation] = Field(min_length=1, max_length=MOST)


class BulkRefusal(Output):
    """As the error of the operation alone."""

    code: str
    message: str
    details: dict[str, Any]


class BulkItem(Output):
    index: int
    status: int = Field(
        description="That of the operation alone: 201 for `create`, 204 for `delete`, 200, 4xx."
    )
    task: TaskRead | None
    error: BulkRefusal | None


class BulkRead(Output):
    items: list[BulkItem] = Field(description="One of each operation, in their order.")
