from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import ORDERED, SHOWN, created, shown
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import ProjectId, ReportId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import ReportNotCompletedError, ReportNotFoundError, TooManyReportsError
from .models import ChartFormat, ChartKind
from .schemas import ReportCreate, ReportDetail, ReportQuery, ReportRead
from .service import ReportService

router = APIRouter(tags=["reports"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]
Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

OF_WORKSPACE = (*AUTHORIZED, WorkspaceNotFoundError)
OF_PROJECT = (*AUTHORIZED, ProjectNotFoundError)
OF_ONE = (*AUTHORIZED, ReportNotFoundError)
REFUSED = (PermissionDeniedError, TooManyReportsError)
DRAWN = (*OF_ONE, ReportNotCompletedError)

MEDIA_TYPES = {ChartFormat.SVG: "image/svg+xml", ChartFormat.PNG: "image/png"}

_BINARY = {"schema": {"type": "string", "format": "binary"}}
CHART: dict[int | str, dict[str, Any]] = {200: {"content": dict.fromkeys(MEDIA_TYPES.values(), _BINARY)}}
PAGE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}

_ALONE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
_HEADERS = {"Content-Security-Policy": _ALONE}
"""Nothing is loaded, and nothing carried out, whatever a name in it says."""


async def get_reports(session: Session) -> ReportService:
    return ReportService(session)


Reports = Annotated[ReportService, Depends(get_reports)]


def _shown(content: str | bytes, media_type: str) -> Response:
    return Response(content, headers=_HEADERS, media_type=media_type)


@router.post(
    "/projects/{project_id}/reports",
    status_code=202,
    response_model=ReportRead,
    responses=ORDERED | declare(*OF_PROJECT, *REFUSED),
)
async def order_project_report(
    project_id: ProjectId, new: ReportCreate, actor: Writer, reports: Reports, response: Response
) -> Any:
    """Order a report of a project's tasks; it is made within seconds, and kept for 30 days."""
    return created(response, "/reports", await reports.order_of_project(actor, project_id, new))


@router.get(
    "/projects/{project_id}/reports", response_model=PageRead[ReportRead], responses=declare(*OF_PROJECT)
)
async def list_project_reports(
    project_id: ProjectId, query: Annotated[ReportQuery, Query()], actor: Reader, reports: Reports
) -> Page[Any]:
    """List the reports of a project."""
    return await reports.page_of_project(actor, project_id, query)


@router.post(
    "/workspaces/{workspace_id}/reports",
    status_code=202,
    response_model=ReportRead,
    responses=ORDERED | declare(*OF_WORKSPACE, *REFUSED),
)
async def order_workspace_report(
    workspace_id: WorkspaceId, new: ReportCreate, actor: Writer, reports: Reports, response: Response
) -> Any:
    """Order a report of all tasks of a workspace; it is made within seconds, and kept for 30 days."""
    return created(response, "/reports", await reports.order_of_workspace(actor, workspace_id, new))


@router.get(
    "/workspaces/{workspace_id}/reports",
    response_model=PageRead[ReportRead],
    responses=declare(*OF_WORKSPACE),
)
async def list_workspace_reports(
    workspace_id: WorkspaceId, query: Annotated[ReportQuery, Query()], actor: Reader, reports: Reports
) -> Page[Any]:
    """List the reports of a workspace, and of its projects."""
    return await reports.page_of_workspace(actor, workspace_id, query)


@router.get("/reports/{report_id}", response_model=ReportDetail, responses=SHOWN | declare(*OF_ONE))
async def get_report(
    report_id: ReportId, actor: Reader, reports: Reports, response: Response, if_none_match: IfNoneMatch
) -> Any:
    """Show how far a report is and, when it is completed, its numbers."""
    return shown(response, await reports.get(actor, report_id), if_none_match)


@router.get(
    "/reports/{report_id}/charts/{kind}.{format}",
    response_class=Response,
    responses=CHART | declare(*DRAWN),
)
async def get_report_chart(
    report_id: ReportId,
    kind: ChartKind,
    format_: Annotated[ChartFormat, Path(alias="format")],
    actor: Reader,
    reports: Reports,
) -> Response:
    """Download a chart of a report, 800 pixels wide."""
    return _shown(await reports.get_chart(actor, report_id, kind, format_), MEDIA_TYPES[format_])


@router.get("/reports/{report_id}/page", response_class=Response, responses=PAGE | declare(*DRAWN))
async def get_report_page(report_id: ReportId, actor: Reader, reports: Reports) -> Response:
    """Download a report as one HTML page that needs nothing else: its charts, and its numbers as tables."""
    return _shown(await reports.get_page(actor, report_id), "text/html")


@router.delete(
    "/reports/{report_id}",
    status_code=204,
    responses=declare(*OF_ONE, PermissionDeniedError, StaleVersionError),
)
async def delete_report(report_id: ReportId, actor: Writer, reports: Reports, if_match: IfMatch) -> None:
    """Delete a report with its charts for good."""
    await reports.delete(actor, report_id, if_match)
