from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from glasswork.core.actor import Actor, Scope
from glasswork.core.http.errors import declare
from glasswork.core.http.rate_limits import rated
from glasswork.core.schemas import ProjectId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .schemas import Export, ExportQuery
from .service import ExportService

router = APIRouter(tags=["tasks"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]

_TEXT: Final = {"schema": {"type": "string"}}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "All of it.", "content": {"text/csv": _TEXT, "application/jsonl": _TEXT}}
}
_RATES: Final = "10/minute"


async def get_exports(request: Request) -> ExportService:
    return ExportService(request.app.state.database)


Exports = Annotated[ExportService, Depends(get_exports)]


@router.get(
    "/projects/{project_id}/export",
    response_class=Response,
    responses=_FILE | declare(*AUTHORIZED, ProjectNotFoundError),
    openapi_extra=rated(_RATES),
)
async def export_project(
    project_id: ProjectId, query: Annotated[ExportQuery, Query()], actor: Reader, exports: Exports
) -> Response:
    """Download all tasks of a project: as CSV, or as JSON Lines with their comments.

    The audit log tells who did. An answer that breaks off is not whole, and a program is told so by HTTP;
    JSON Lines end with a line of the type `end`.
    """
    return _streamed(await exports.open_project(actor, project_id, query))


@router.get(
    "/workspaces/{workspace_id}/export",
    response_class=Response,
    responses=_FILE | declare(*AUTHORIZED, WorkspaceNotFoundError),
    openapi_extra=rated(_RATES),
)
async def export_workspace(
    workspace_id: WorkspaceId, query: Annotated[ExportQuery, Query()], actor: Reader, exports: Exports
) -> Response:
    """Download all tasks of a workspace's projects, as of one project."""
    return _streamed(await exports.open_workspace(actor, workspace_id, query))


def _streamed(export: Export) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{export.name}"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(export.parts, media_type=export.media_type, headers=headers)
