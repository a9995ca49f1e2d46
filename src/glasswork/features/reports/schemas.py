from datetime import date, datetime

from pydantic import Field

from glasswork.core.paging import PageQuery, sort_by
from glasswork.core.schemas import (
    Day,
    Input,
    Output,
    ProjectId,
    ReportId,
    TimeZone,
    UserId,
    WorkspaceId,
)
from glasswork.features.measures.schemas import Numbers

from .models import ReportFailure, ReportStatus


class ReportCreate(Input):
    first_day: Day
    last_day: Day = Field(description="Part of the period, which has 366 days at most.")
    time_zone: TimeZone = Field("UTC", description="In which days begin and end.")


class ReportRead(Output):
    id: ReportId
    workspace_id: WorkspaceId
    project_id: ProjectId | None = Field(description="Null: of all tasks of the workspace.")
    first_day: date
    last_day: date
    time_zone: str
    status: ReportStatus
    failure: ReportFailure | None = Field(description="Why, where it has failed.")
    version: int
    created_by: UserId
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class ReportDetail(ReportRead):
    numbers: Numbers | None = Field(description="When it is completed.")


class ReportQuery(PageQuery):
    sort: str = sort_by("created_at", default="-created_at")
