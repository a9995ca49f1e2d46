from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import AsSystem, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.rate_limits import rated
from glasswork.core.http.resources import CREATED, SHOWN, created, shown
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import AnnouncementId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import AnnouncementNotFoundError
from .schemas import AnnouncementCreate, AnnouncementQuery, AnnouncementRead
from .service import AnnouncementService

router = APIRouter(tags=["announcements"])

Reader = Annotated[Actor, acting(Scope.WORKSPACES_READ)]
Writer = Annotated[Actor, acting(Scope.WORKSPACES_WRITE)]
UserReader = Annotated[Actor, acting(Scope.PROFILE_READ)]
AdminWriter = Annotated[Actor, acting(Scope.ADMIN_WRITE)]

INSIDE = (*AUTHORIZED, WorkspaceNotFoundError)
EVERYWHERE = (*AUTHORIZED, PermissionDeniedError)
FEW = rated("10/hour")


async def get_announcements(session: Session) -> AnnouncementService:
    return AnnouncementService(session)


Announcements = Annotated[AnnouncementService, Depends(get_announcements)]


@router.post(
    "/workspaces/{workspace_id}/announcements",
    status_code=201,
    response_model=AnnouncementRead,
    responses=CREATED | declare(*INSIDE, PermissionDeniedError),
    openapi_extra=FEW,
)
async def create_workspace_announcement(
    workspace_id: WorkspaceId,
    new: AnnouncementCreate,
    actor: Writer,
    announcements: Announcements,
    response: Response,
) -> Any:
    """Let all members of a workspace know something, by mail. For its admins."""
    return created(
        response,
        f"/workspaces/{workspace_id}/announcements",
        await announcements.create(actor, workspace_id, new),
    )


@router.get(
    "/workspaces/{workspace_id}/announcements",
    response_model=PageRead[AnnouncementRead],
    responses=declare(*INSIDE),
)
async def list_workspace_announcements(
    workspace_id: WorkspaceId,
    query: Annotated[AnnouncementQuery, Query()],
    actor: Reader,
    announcements: Announcements,
) -> Page[Any]:
    """List what was announced to the members, and how far each letter came."""
    return await announcements.page(actor, workspace_id, query)


@router.get(
    "/workspaces/{workspace_id}/announcements/{announcement_id}",
    response_model=AnnouncementRead,
    responses=SHOWN | declare(*INSIDE, AnnouncementNotFoundError),
)
async def get_workspace_announcement(
    workspace_id: WorkspaceId,
    announcement_id: AnnouncementId,
    actor: Reader,
    announcements: Announcements,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show an announcement and how far it came."""
    return shown(response, await announcements.get(actor, workspace_id, announcement_id), if_none_match)


@router.post(
    "/announcements",
    status_code=201,
    response_model=AnnouncementRead,
    responses=CREATED | declare(*EVERYWHERE),
    openapi_extra=FEW,
    dependencies=[AsSystem],
)
async def create_announcement(
    new: AnnouncementCreate, actor: AdminWriter, announcements: Announcements, response: Response
) -> Any:
    """Let all users of the installation know something, by mail. For its admins."""
    return created(response, "/announcements", await announcements.create(actor, None, new))


@router.get("/announcements", response_model=PageRead[AnnouncementRead], responses=declare(*EVERYWHERE))
async def list_announcements(
    query: Annotated[AnnouncementQuery, Query()], actor: UserReader, announcements: Announcements
) -> Page[Any]:
    """List what was announced to all users; an API token that is kept to one workspace does not do."""
    return await announcements.page(actor, None, query)


@router.get(
    "/announcements/{announcement_id}",
    response_model=AnnouncementRead,
    responses=SHOWN | declare(*EVERYWHERE, AnnouncementNotFoundError),
)
async def get_announcement(
    announcement_id: AnnouncementId,
    actor: UserReader,
    announcements: Announcements,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show an announcement to all users and how far it came."""
    return shown(response, await announcements.get(actor, None, announcement_id), if_none_match)
