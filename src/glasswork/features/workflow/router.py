from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import ProjectId, StatusId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError

from .errors import StatusKeyTakenError, StatusNotFoundError, TooManyStatusesError
from .schemas import StatusCreate, StatusQuery, StatusRead, StatusUpdate
from .service import StatusService

router = APIRouter(tags=["projects"])

Reader = Annotated[Actor, acting(Scope.PROJECTS_READ)]
Writer = Annotated[Actor, acting(Scope.PROJECTS_WRITE)]

INSIDE = (*AUTHORIZED, ProjectNotFoundError)


async def get_statuses(session: Session) -> StatusService:
    return StatusService(session)


Statuses = Annotated[StatusService, Depends(get_statuses)]


@router.post(
    "/projects/{project_id}/statuses",
    status_code=201,
    response_model=StatusRead,
    responses=CREATED | declare(*INSIDE, PermissionDeniedError, StatusKeyTakenError, TooManyStatusesError),
)
async def create_status(
    project_id: ProjectId, new: StatusCreate, actor: Writer, statuses: Statuses, response: Response
) -> Any:
    """Give the project's tasks another status. For admins of the workspace."""
    return created(response, "/statuses", await statuses.create(actor, project_id, new))


@router.get(
    "/projects/{project_id}/statuses", response_model=PageRead[StatusRead], responses=declare(*INSIDE)
)
async def list_statuses(
    project_id: ProjectId, query: Annotated[StatusQuery, Query()], actor: Reader, statuses: Statuses
) -> Page[Any]:
    """List the statuses that the project's tasks go through."""
    return await statuses.page(actor, project_id, query)


@router.get(
    "/statuses/{status_id}",
    response_model=StatusRead,
    responses=SHOWN | declare(*AUTHORIZED, StatusNotFoundError),
)
async def get_status(
    status_id: StatusId,
    actor: Reader,
    statuses: Statuses,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a status."""
    return shown(response, await statuses.get(actor, status_id), if_none_match)


@router.patch(
    "/statuses/{status_id}",
    response_model=StatusRead,
    responses=TAGGED | declare(*AUTHORIZED, StatusNotFoundError, PermissionDeniedError, StaleVersionError),
)
async def update_status(
    status_id: StatusId,
    changes: StatusUpdate,
    actor: Writer,
    statuses: Statuses,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """Change a status, its place, or what may follow it. For admins of the workspace.

    Those that make room for it change, too, and have new versions.
    """
    return tagged(response, await statuses.update(actor, status_id, changes, if_match))
