from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError, RangeNotSatisfiableError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.files import CONTENT, Asked, File, serve
from glasswork.core.http.rate_limits import rated
from glasswork.core.http.resources import CREATED, SHOWN, created, shown
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import ArchiveId, WorkspaceId
from glasswork.core.statements import AnyRow
from glasswork.core.storage import Storage
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import ArchiveNotFoundError, ArchiveNotReadyError, ArchiveUnderWayError
from .schemas import ArchiveQuery, ArchiveRead
from .service import ArchiveService

router = APIRouter(tags=["archives"])

Reader = Annotated[Actor, acting(Scope.ARCHIVES_READ)]
Writer = Annotated[Actor, acting(Scope.ARCHIVES_WRITE)]

INSIDE = (*AUTHORIZED, WorkspaceNotFoundError, PermissionDeniedError)
OF_ONE = (*AUTHORIZED, ArchiveNotFoundError, PermissionDeniedError)


async def get_archives(session: Session) -> ArchiveService:
    return ArchiveService(session)


async def get_storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


Archives = Annotated[ArchiveService, Depends(get_archives)]


@router.post(
    "/workspaces/{workspace_id}/archives",
    status_code=201,
    response_model=ArchiveRead,
    responses=CREATED | declare(*INSIDE, ArchiveUnderWayError),
    openapi_extra=rated("10/hour"),
)
async def create_archive(
    workspace_id: WorkspaceId, actor: Writer, archives: Archives, response: Response
) -> Any:
    """Order a file with everything that there is in a workspace: rows, log, files, names. For owners.

    It is made in the background: look at its `status`. An operator can import it elsewhere.
    """
    return created(response, "/archives", await archives.create(actor, workspace_id))


@router.get(
    "/workspaces/{workspace_id}/archives",
    response_model=PageRead[ArchiveRead],
    responses=declare(*INSIDE),
)
async def list_archives(
    workspace_id: WorkspaceId, query: Annotated[ArchiveQuery, Query()], actor: Reader, archives: Archives
) -> Page[Any]:
    """List the archives of a workspace. For owners."""
    return await archives.page(actor, workspace_id, query)


@router.get("/archives/{archive_id}", response_model=ArchiveRead, responses=SHOWN | declare(*OF_ONE))
async def get_archive(
    archive_id: ArchiveId, actor: Reader, archives: Archives, response: Response, if_none_match: IfNoneMatch
) -> Any:
    """Show an archive, and how far it is. For owners."""
    return shown(response, await archives.get(actor, archive_id), if_none_match)


@router.get(
    "/archives/{archive_id}/content",
    response_class=Response,
    responses=CONTENT | declare(*OF_ONE, ArchiveNotReadyError, RangeNotSatisfiableError),
)
async def download_archive(
    archive_id: ArchiveId,
    actor: Reader,
    archives: Archives,
    storage: Annotated[Storage, Depends(get_storage)],
    wanted: Asked,
) -> Response:
    """Download an archive, a ZIP file, or a range of it. For owners."""
    return await serve(storage, _content(await archives.get_content(actor, archive_id)), wanted)


@router.delete("/archives/{archive_id}", status_code=204, responses=declare(*OF_ONE, StaleVersionError))
async def delete_archive(archive_id: ArchiveId, actor: Writer, archives: Archives, if_match: IfMatch) -> None:
    """Delete an archive for good, or what is being made of it. For owners."""
    await archives.delete(actor, archive_id, if_match)


def _content(archive: AnyRow) -> File:
    return File(
        archive.object_id, archive.size, "application/zip", f"glasswork-{archive.id}.zip", archive.sha256
    )
