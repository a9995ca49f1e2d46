from datetime import datetime
from typing import Annotated

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import (
    CalendarFeedId,
    Input,
    Line,
    Output,
    ProjectId,
    ShownOnce,
    TimeZone,
    UserId,
    WorkspaceId,
)

from .models import FeedFilter

Name = Annotated[Line, Field(max_length=100, examples=["What I have to do"])]


class CalendarFeedCreate(Input):
    name: Name
    filter: FeedFilter = Field(FeedFilter.MINE, description="`mine`: what is assigned to me.")
    project_id: ProjectId | None = Field(None, description="The only project; null for all of the workspace.")
    time_zone: TimeZone = "UTC"


class CalendarFeedRead(Output):
    id: CalendarFeedId
    user_id: UserId
    workspace_id: WorkspaceId
    project_id: ProjectId | None
    name: str
    filter: FeedFilter
    time_zone: str = Field(description="In which what is due at midnight is due that day.")
    version: int
    created_at: datetime
    updated_at: datetime


class CalendarFeedIssued(CalendarFeedRead):
    url: Annotated[
        ShownOnce,
        Field(description="For the calendar. Shown this once: null in an answer that is replayed."),
    ]


class CalendarFeedQuery(PageQuery):
    sort: str = sort_by("created_at", default="created_at")
