from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import Output, Reference

JobId = Annotated[int, Field(ge=1, lt=2**63), Reference("job")]


class JobState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DEAD = "dead"


class JobRead(Output):
    id: int
    name: str = Field(examples=["credentials.send_welcome"])
    state: JobState
    attempts: int
    request_id: str | None = Field(description="Of the request that ordered it.")
    created_at: datetime
    next_attempt_at: datetime
    error: str | None = Field(description="Of the last attempt.")


class JobQuery(PageQuery):
    state: list[JobState] = Field([], max_length=3)
    name: list[Annotated[str, Field(pattern=r"^[a-z_.]{1,100}$")]] = Field([], max_length=50)
    sort: str = sort_by("created_at", default="-created_at")
