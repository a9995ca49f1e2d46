from datetime import datetime
from typing import Any

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Output, UserId


class HistoryQuery(PageQuery):
    sort: str = sort_by("seq", default="-seq")


class FieldChange(Output):
    field: str = Field(examples=["priority"])
    before: Any = Field(examples=["low"])
    after: Any = Field(examples=["high"])


class HistoryEntry(Output):
    seq: int = Field(description="As in the changes of the workspace.")
    at: datetime
    actor_id: UserId | None
    request_id: str
    type: str = Field(examples=["task.updated"])
    changes: list[FieldChange] = Field(
        description="Of a new task the fields that it was given; none where it was deleted or restored."
    )
