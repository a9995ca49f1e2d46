from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from glasswork.core.actor import Actor, Scope
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import ProjectId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError

from .schemas import StatusQuery, StatusRead
from .service import StatusService

router = APIRouter(tags=["projects"])

Reader = Annotated[Actor, acting(Scope.PROJECTS_READ)]

INSIDE = (*AUTHORIZED, ProjectNotFoundError)


async def get_statuses(session: Session) -> StatusService:
    return StatusService(session)


Statuses = Annotated[StatusService, Depends(get_statuses)]


@router.get(
    "/projects/{project_id}/statuses", response_model=PageRead[StatusRead], responses=declare(*INSIDE)
)
async def list_statuses(
    project_id: ProjectId, query: Annotated[StatusQuery, Query()], actor: Reader, statuses: Statuses
) -> Page[Any]:
    """List the statuses that the project's tasks go through."""
    return await statuses.page(actor, project_id, query)
