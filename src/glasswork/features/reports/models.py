from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from glasswork.core.models import Base, TenantEntity

KEPT_FOR: Final = timedelta(days=30)
MAX_REPORTS: Final = 100
"""Of a workspace."""


class ReportStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class ReportFailure(StrEnum):
    TOO_MANY_TASKS = "too_many_tasks"
    TOOK_TOO_LONG = "took_too_long"
    NOT_COMPUTED = "not_computed"
    ABANDONED = "abandoned"


class ChartKind(StrEnum):
    BURN_UP = "burn_up"
    CUMULATIVE_FLOW = "cumulative_flow"
    CYCLE_TIME = "cycle_time"
    THROUGHPUT = "throughput"
    WORKLOAD = "workload"


class ChartFormat(StrEnum):
    SVG = "svg"
    PNG = "png"


class Report(TenantEntity):
    """What became of the tasks of a project, or of the whole workspace, in some days."""

    __tablename__ = "reports"

    project_id: Mapped[UUID | None]
    first_day: Mapped[date]
    last_day: Mapped[date]
    time_zone: Mapped[str]
    status: Mapped[ReportStatus] = mapped_column(default=ReportStatus.QUEUED)
    failure: Mapped[ReportFailure | None]
    numbers: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    created_by: Mapped[UUID]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "project_id"], ["projects.workspace_id", "projects.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["workspace_id", "created_by"], ["memberships.workspace_id", "memberships.user_id"]
        ),
        Index(None, "workspace_id", "created_at", "id"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "created_at"),
    )

    @property
    def is_finished(self) -> bool:
        return self.status in {ReportStatus.COMPLETED, ReportStatus.FAILED}

    def complete(self, numbers: dict[str, Any], now: datetime) -> None:
        self.change({"status": ReportStatus.COMPLETED, "numbers": numbers, "finished_at": now})

    def fail(self, failure: ReportFailure, now: datetime) -> None:
        self.change({"status": ReportStatus.FAILED, "failure": failure, "finished_at": now})


class ReportChart(Base):
    """They are small, and come and go with their report in one transaction."""

    __tablename__ = "report_charts"

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    report_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[ChartKind] = mapped_column(primary_key=True)
    svg: Mapped[str]
    png: Mapped[bytes]

    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "report_id"], ["reports.workspace_id", "reports.id"], ondelete="CASCADE"
        ),
    )
