from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from pydantic import BaseModel, Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Output, Reference, TaskId, Timestamp, UserId, Who

EventType = Annotated[str, Field(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$", examples=["task.updated"])]

Cursor = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]


class ChangeQuery(BaseModel):
    cursor: Cursor | None = Field(
        None, description="The `next_cursor` before; without it from the beginning."
    )
    limit: int = Field(50, ge=1, le=100, description="Changes per answer.")


class Subject(Output):
    type: str = Field(examples=["task"])
    id: Annotated[UUID, Reference("subject")]


class Happened(Output):
    seq: int = Field(description="Grows by one with each change, in the order of the commits.")
    type: str = Field(examples=["task.updated"])
    subject: Subject
    request_id: str
    at: datetime
    before: dict[str, Any] | None = Field(description="What changed, as it was; all of it when it is gone.")
    after: dict[str, Any] | None = Field(description="What changed, as it is; all of it when it is new.")


class ChangeRead(Happened):
    actor_id: UserId | None


class ChangePage(Output):
    items: list[ChangeRead]
    next_cursor: str = Field(description="Come back with it, also when there is nothing new.")


class Changes(msgspec.Struct):
    """A `ChangePage`, with the rows that were read."""

    items: Sequence[Any]
    next_cursor: str


class ActivityQuery(PageQuery):
    """Of several values of one filter any may hold; different filters must all hold."""

    actor_id: list[UserId | Who] = Field(
        [], max_length=50, description="Who did it; `null`: nobody who had signed in."
    )
    type: list[EventType] = Field([], max_length=50)
    at_after: Timestamp | None = Field(None, description="From this moment on.")
    at_before: Timestamp | None = Field(None, description="Before this moment.")
    sort: str = sort_by("at", default="-at")


class ActivityActor(Output):
    id: UserId
    name: str | None = Field(description="The present one, `Deleted user` when the account is gone.")


class ActivityTask(Output):
    id: TaskId
    key: str = Field(examples=["OPS-42"])
    title: str


class ActivityRead(Happened):
    actor: ActivityActor | None
    task: ActivityTask | None = Field(
        description="That the change is about, as it is now; of a relation the one it goes from."
        " Null where there is none, or none any more."
    )
