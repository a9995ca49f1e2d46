from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import AsSystem, IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, RECENTLY_SIGNED_IN, CurrentActor, acting

from .errors import SlugTakenError, WorkspaceNotFoundError
from .models import Workspace
from .schemas import WorkspaceCreate, WorkspaceQuery, WorkspaceRead, WorkspaceUpdate
from .service import WorkspaceService

router = APIRouter(prefix="/workspaces", tags=["workspaces"])

Reader = Annotated[Actor, acting(Scope.WORKSPACES_READ)]
Writer = Annotated[Actor, acting(Scope.WORKSPACES_WRITE)]

INSIDE = (*AUTHORIZED, WorkspaceNotFoundError)


async def get_workspaces(session: Session) -> WorkspaceService:
    return WorkspaceService(session)


Workspaces = Annotated[WorkspaceService, Depends(get_workspaces)]


@router.post(
    "",
    status_code=201,
    response_model=WorkspaceRead,
    responses=CREATED | declare(*AUTHORIZED, PermissionDeniedError, SlugTakenError),
    dependencies=[AsSystem],
)
async def create_workspace(
    new: WorkspaceCreate, actor: Writer, workspaces: Workspaces, response: Response
) -> Workspace:
    """Open a workspace; its maker is its owner."""
    return created(response, "/workspaces", await workspaces.create(actor, new))


@router.get("", response_model=PageRead[WorkspaceRead], responses=declare(*AUTHORIZED))
async def list_workspaces(
    query: Annotated[WorkspaceQuery, Query()], actor: Reader, workspaces: Workspaces
) -> Page[Any]:
    """List the workspaces that I am a member of."""
    return await workspaces.page(actor, query)


@router.get("/{workspace_id}", response_model=WorkspaceRead, responses=SHOWN | declare(*INSIDE))
async def get_workspace(
    workspace_id: WorkspaceId,
    actor: Reader,
    workspaces: Workspaces,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a workspace."""
    return shown(response, await workspaces.get(actor, workspace_id), if_none_match)


@router.patch(
    "/{workspace_id}",
    response_model=WorkspaceRead,
    responses=TAGGED | declare(*INSIDE, PermissionDeniedError, SlugTakenError, StaleVersionError),
)
async def update_workspace(
    workspace_id: WorkspaceId,
    changes: WorkspaceUpdate,
    actor: Writer,
    workspaces: Workspaces,
    response: Response,
    if_match: IfMatch,
) -> Workspace:
    """Change a workspace. For its admins."""
    return tagged(response, await workspaces.update(actor, workspace_id, changes, if_match))


@router.delete(
    "/{workspace_id}",
    status_code=204,
    responses=declare(*RECENTLY_SIGNED_IN, WorkspaceNotFoundError, PermissionDeniedError, StaleVersionError),
)
async def delete_workspace(
    workspace_id: WorkspaceId, actor: CurrentActor, workspaces: Workspaces, if_match: IfMatch
) -> None:
    """Delete a workspace with all that is in it. For its owners."""
    await workspaces.delete(actor, workspace_id, if_match)
