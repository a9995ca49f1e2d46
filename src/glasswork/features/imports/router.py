from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.files import BODY, body_of
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import ImportId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import ImportNotFoundError, ImportUnderWayError, NoFileError, TooManyImportsError
from .schemas import FaultQuery, FaultRead, ImportCreate, ImportQuery, ImportRead, ImportStart
from .service import ImportFileService, ImportService

router = APIRouter(tags=["imports"])

FILE_PATH = "/imports/{import_id}/file"

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]
Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

INSIDE = (*AUTHORIZED, WorkspaceNotFoundError)
OF_ONE = (*AUTHORIZED, ImportNotFoundError)


async def get_imports(request: Request, session: Session) -> ImportService:
    return ImportService(session, request.app.state.keys)


async def get_files(request: Request) -> ImportFileService:
    return ImportFileService(request.app.state.database, request.app.state.storage)


async def get_body(request: Request) -> AsyncIterator[bytes]:
    return body_of(request)


Imports = Annotated[ImportService, Depends(get_imports)]


@router.post(
    "/workspaces/{workspace_id}/imports",
    status_code=201,
    response_model=ImportRead,
    responses=CREATED | declare(*INSIDE, PermissionDeniedError, TooManyImportsError),
)
async def create_import(
    workspace_id: WorkspaceId, new: ImportCreate, actor: Writer, imports: Imports, response: Response
) -> Any:
    """Say what is to come from another tracker; it begins when its file is there, or at once if it has none.

    What was imported before is known by its id there, and is not imported again.
    """
    return created(response, "/imports", await imports.create(actor, workspace_id, new))


@router.put(
    FILE_PATH,
    response_model=ImportRead,
    responses=TAGGED | declare(*OF_ONE, PermissionDeniedError, ImportUnderWayError),
    openapi_extra=BODY,
)
async def put_import_file(
    import_id: ImportId,
    body: Annotated[AsyncIterator[bytes], Depends(get_body)],
    actor: Writer,
    files: Annotated[ImportFileService, Depends(get_files)],
    response: Response,
) -> Any:
    """Send the file of an import, as the body; the import begins."""
    return tagged(response, await files.put(actor, import_id, body))


@router.get(
    "/workspaces/{workspace_id}/imports", response_model=PageRead[ImportRead], responses=declare(*INSIDE)
)
async def list_imports(
    workspace_id: WorkspaceId, query: Annotated[ImportQuery, Query()], actor: Reader, imports: Imports
) -> Page[Any]:
    """List the imports of a workspace."""
    return await imports.page(actor, workspace_id, query)


@router.get("/imports/{import_id}", response_model=ImportRead, responses=SHOWN | declare(*OF_ONE))
async def get_import(
    import_id: ImportId, actor: Reader, imports: Imports, response: Response, if_none_match: IfNoneMatch
) -> Any:
    """Show an import: how far it is, and what became of its records."""
    return shown(response, await imports.get(actor, import_id), if_none_match)


@router.get("/imports/{import_id}/faults", response_model=PageRead[FaultRead], responses=declare(*OF_ONE))
async def list_import_faults(
    import_id: ImportId, query: Annotated[FaultQuery, Query()], actor: Reader, imports: Imports
) -> Page[Any]:
    """List the records that were left out, or are not as they were, with their places and why."""
    return await imports.faults(actor, import_id, query)


@router.post(
    "/imports/{import_id}/start",
    response_model=ImportRead,
    responses=TAGGED | declare(*OF_ONE, PermissionDeniedError, ImportUnderWayError, NoFileError),
)
async def start_import(
    import_id: ImportId, start: ImportStart, actor: Writer, imports: Imports, response: Response
) -> Any:
    """Begin once more, after a dry run or a failure. For who has made it, and admins."""
    return tagged(response, await imports.start(actor, import_id, start))


@router.delete(
    "/imports/{import_id}",
    status_code=204,
    responses=declare(*OF_ONE, PermissionDeniedError, StaleVersionError),
)
async def delete_import(import_id: ImportId, actor: Writer, imports: Imports, if_match: IfMatch) -> None:
    """Delete an import, which ends it; the tasks that it has made stay. For who has made it, and admins."""
    await imports.delete(actor, import_id, if_match)
