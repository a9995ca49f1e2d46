from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from glasswork.core.schemas import Output, Reference, UserId

Cursor = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]


class ChangeQuery(BaseModel):
    cursor: Cursor | None = Field(
        None, description="The `next_cursor` before; without it from the beginning."
    )
    limit: int = Field(50, ge=1, le=100, description="Changes per answer.")


class Subject(Output):
    type: str = Field(examples=["task"])
    id: Annotated[UUID, Reference("subject")]


class ChangeRead(Output):
    seq: int = Field(description="Grows by one with each change, in the order of the commits.")
    type: str = Field(examples=["task.updated"])
    subject: Subject
    actor_id: UserId | None
    request_id: str
    at: datetime
    before: dict[str, Any] | None = Field(description="What changed, as it was; all of it when it is gone.")
    after: dict[str, Any] | None = Field(description="What changed, as it is; all of it when it is new.")


class ChangePage(Output):
    items: list[ChangeRead]
    next_cursor: str = Field(description="Come back with it, also when there is nothing new.")
