from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch
from glasswork.core.http.errors import declare
from glasswork.core.http.files import BODY, body_of
from glasswork.core.http.resources import CREATED, TAGGED, stored
from glasswork.core.schemas import TaskId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.attachments.schemas import AttachmentRead
from glasswork.features.tasks.errors import TaskNotFoundError

from .errors import NameFreeError, NameTakenError, QuotaExceededError
from .schemas import FileName
from .service import Upload, UploadService

router = APIRouter(tags=["attachments"])

PATH = "/tasks/{task_id}/attachments"

Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]


async def get_uploads(request: Request) -> UploadService:
    state = request.app.state
    return UploadService(state.database, state.storage, state.settings.workspace_quota_bytes)


async def get_upload(
    request: Request,
    task_id: TaskId,
    name: Annotated[FileName, Query()],
    if_match: IfMatch,
    if_none_match: IfNoneMatch,
) -> Upload:
    declared = request.headers.get("content-length", "0")
    return Upload(task_id, name, int(declared), body_of(request), if_match, if_none_match)


@router.put(
    PATH,
    response_model=AttachmentRead,
    responses=TAGGED
    | {201: CREATED[201] | {"model": AttachmentRead, "description": "The name is new to the task."}}
    | declare(
        *(*AUTHORIZED, TaskNotFoundError, PermissionDeniedError, StaleVersionError),
        *(NameTakenError, NameFreeError, QuotaExceededError),
    ),
    openapi_extra=BODY,
)
async def put_attachment(
    upload: Annotated[Upload, Depends(get_upload)],
    actor: Writer,
    uploads: Annotated[UploadService, Depends(get_uploads)],
    response: Response,
) -> Any:
    """Give a task the file that is the body, or give the file of that name another content.

    It can be sent again: the same bytes under the same name change nothing. `If-None-Match: *` refuses to
    replace, `If-Match` to replace another version.
    """
    return stored(response, "/attachments", *await uploads.put(actor, upload))
