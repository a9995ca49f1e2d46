from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.charts import Drawing
from glasswork.core.paging import AnySelect, Page, PageQuery, SortKey, fetch_page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import ensure_signed_in
from glasswork.features.projects.models import Project
from glasswork.features.workspaces.access import access
from glasswork.features.workspaces.models import Role, Workspace

from .errors import ReportNotFoundError
from .models import ChartFormat, ChartKind, Report, ReportChart

_COLUMNS: tuple[Any, ...] = (
    Report.id,
    Report.workspace_id,
    Report.project_id,
    Report.first_day,
    Report.last_day,
    Report.time_zone,
    Report.status,
    Report.failure,
    Report.version,
    Report.created_by,
    Report.created_at,
    Report.updated_at,
    Report.finished_at,
)
_IS_IT: ColumnElement[bool] = Report.id == bindparam("report_id")


def _visible(*columns: Any) -> AnySelect:
    """With its project a report hides, and comes back."""
    return (
        select(*columns)
        .select_from(Report)
        .join(access, access.c.workspace_id == Report.workspace_id)
        .join(Workspace, Workspace.id == Report.workspace_id)
        .outerjoin(
            Project, and_(Project.workspace_id == Report.workspace_id, Project.id == Report.project_id)
        )
        .where(or_(Report.project_id.is_(None), Project.deleted_at.is_(None)))
    )


_REPORTS = _visible(*_COLUMNS)
_REPORT = _visible(
    *_COLUMNS, Report.numbers, func.coalesce(Project.name, Workspace.name).label("place")
).where(_IS_IT)
_CHARTS = {
    format_: _visible(Report.status, column.label("content"))
    .outerjoin(
        ReportChart,
        and_(
            ReportChart.workspace_id == Report.workspace_id,
            ReportChart.report_id == Report.id,
            ReportChart.kind == bindparam("kind"),
        ),
    )
    .where(_IS_IT)
    for format_, column in ((ChartFormat.SVG, ReportChart.svg), (ChartFormat.PNG, ReportChart.png))
}
_SORT_KEYS = {"created_at": SortKey.of(Report.created_at, AwareDatetime)}


class ReportRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, actor: Actor, report_id: UUID) -> AnyRow:
        """With its `numbers`, and the name of its `place`."""
        row = (await self._session.execute(_REPORT, actor.binds | {"report_id": report_id})).one_or_none()
        return row if row is not None else await self._miss(actor, report_id)

    async def page_of_workspace(self, actor: Actor, workspace_id: UUID, query: PageQuery) -> Page[AnyRow]:
        """With those of its projects."""
        return await self._page(_REPORTS.where(Report.workspace_id == workspace_id), actor, query)

    async def page_of_project(self, actor: Actor, project_id: UUID, query: PageQuery) -> Page[AnyRow]:
        return await self._page(_REPORTS.where(Report.project_id == project_id), actor, query)

    async def get_chart(self, actor: Actor, report_id: UUID, kind: ChartKind, format_: ChartFormat) -> AnyRow:
        """Return the report's `status`, and the `content` of the chart if there is one yet."""
        binds = actor.binds | {"report_id": report_id, "kind": kind}
        row = (await self._session.execute(_CHARTS[format_], binds)).one_or_none()
        return row if row is not None else await self._miss(actor, report_id)

    async def svgs(self, report: AnyRow) -> Sequence[Row[ChartKind, str]]:
        statement = select(ReportChart.kind, ReportChart.svg).where(
            ReportChart.workspace_id == report.workspace_id, ReportChart.report_id == report.id
        )
        return (await self._session.execute(statement)).all()

    async def count(self, workspace_id: UUID) -> int:
        statement = select(func.count()).where(Report.workspace_id == workspace_id)
        return (await self._session.execute(statement)).scalar_one()

    async def lock(self, actor: Actor, report_id: UUID) -> Row[Report, Role]:
        statement = (
            select(Report, access.c.role)
            .join(access, access.c.workspace_id == Report.workspace_id)
            .where(Report.id == report_id)
            .with_for_update(of=Report)
        )
        row = (await self._session.execute(statement, actor.binds)).one_or_none()
        return row if row is not None else await self._miss(actor, report_id)

    async def add(self, report: Report) -> None:
        self._session.add(report)
        await self._session.flush()

    async def delete(self, report: Report) -> None:
        await self._session.delete(report)
        await self._session.flush()

    async def _page(self, statement: AnySelect, actor: Actor, query: PageQuery) -> Page[AnyRow]:
        return await fetch_page(self._session, statement, query, _SORT_KEYS, Report.id, actor.binds)

    async def _miss(self, actor: Actor, report_id: UUID) -> NoReturn:
        await ensure_signed_in(self._session, actor)
        raise ReportNotFoundError(report_id)


class ReportJobRepository:
    """For whoever makes reports, for nobody in particular."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find_locked(self, report_id: UUID) -> Report | None:
        statement = select(Report).where(Report.id == report_id).with_for_update()
        return (await self._session.scalars(statement)).one_or_none()

    async def now(self) -> datetime:
        return (await self._session.execute(select(func.now()))).scalar_one()

    async def name_of_place(self, report: Report) -> str:
        statement = (
            select(func.coalesce(Project.name, Workspace.name))
            .select_from(Workspace)
            .outerjoin(Project, and_(Project.workspace_id == Workspace.id, Project.id == report.project_id))
            .where(Workspace.id == report.workspace_id)
        )
        return (await self._session.execute(statement)).scalar_one()

    async def add_charts(self, report: Report, drawings: Mapping[ChartKind, Drawing]) -> None:
        self._session.add_all(
            ReportChart(
                workspace_id=report.workspace_id,
                report_id=report.id,
                kind=kind,
                svg=drawing.svg,
                png=drawing.png,
            )
            for kind, drawing in drawings.items()
        )

    async def flush(self) -> None:
        await self._session.flush()
