from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError, RangeNotSatisfiableError
from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, NotCached, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.files import CONTENT, Asked, File, serve
from glasswork.core.http.resources import API_PREFIX, SHOWN, shown
from glasswork.core.images import MEDIA_TYPE
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import AttachmentId, TaskId
from glasswork.core.statements import AnyRow
from glasswork.core.storage import Storage
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.tasks.errors import TaskNotFoundError

from .errors import AttachmentNotFoundError, LinkNotFoundError, ThumbnailNotFoundError
from .schemas import AttachmentQuery, AttachmentRead, LinkRead
from .service import AttachmentService, LinkService

router = APIRouter(tags=["attachments"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]
Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

INSIDE = (*AUTHORIZED, AttachmentNotFoundError)


async def get_attachments(session: Session) -> AttachmentService:
    return AttachmentService(session)


async def get_links(session: Session, request: Request) -> LinkService:
    state = request.app.state
    return LinkService(session, state.keys, f"{state.settings.public_url}{API_PREFIX}")


async def get_storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


Attachments = Annotated[AttachmentService, Depends(get_attachments)]
Links = Annotated[LinkService, Depends(get_links)]
Stored = Annotated[Storage, Depends(get_storage)]


@router.get(
    "/tasks/{task_id}/attachments",
    response_model=PageRead[AttachmentRead],
    responses=declare(*AUTHORIZED, TaskNotFoundError),
)
async def list_attachments(
    task_id: TaskId, query: Annotated[AttachmentQuery, Query()], actor: Reader, attachments: Attachments
) -> Page[Any]:
    """List the files of a task."""
    return await attachments.page(actor, task_id, query)


@router.get("/attachments/{attachment_id}", response_model=AttachmentRead, responses=SHOWN | declare(*INSIDE))
async def get_attachment(
    attachment_id: AttachmentId,
    actor: Reader,
    attachments: Attachments,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show what is known of a file."""
    return shown(response, await attachments.get(actor, attachment_id), if_none_match)


@router.get(
    "/attachments/{attachment_id}/content",
    response_class=Response,
    responses=CONTENT | declare(*INSIDE, RangeNotSatisfiableError),
)
async def download_attachment(
    attachment_id: AttachmentId, actor: Reader, attachments: Attachments, storage: Stored, wanted: Asked
) -> Response:
    """Download a file, or a range of it."""
    return await serve(storage, _content(await attachments.get(actor, attachment_id)), wanted)


@router.get(
    "/attachments/{attachment_id}/thumbnail",
    response_class=Response,
    responses=CONTENT | declare(*INSIDE, ThumbnailNotFoundError, RangeNotSatisfiableError),
)
async def get_thumbnail(
    attachment_id: AttachmentId, actor: Reader, attachments: Attachments, storage: Stored, wanted: Asked
) -> Response:
    """Download a small picture (WebP, 256 pixels at most) of a picture; it is made after the upload."""
    return await serve(storage, _thumbnail(await attachments.get_thumbnail(actor, attachment_id)), wanted)


@router.get(
    "/attachments/{attachment_id}/link",
    responses=declare(*INSIDE),
    dependencies=[NotCached],
)
async def get_link(
    attachment_id: AttachmentId,
    actor: Reader,
    links: Links,
    seconds: Annotated[int, Query(ge=60, le=604_800, description="Until it expires.")] = 3600,
) -> LinkRead:
    """Get a link by which anybody can download the file for a while. It cannot be taken back."""
    return await links.make(actor, attachment_id, timedelta(seconds=seconds))


@router.get(
    "/files/{token}",
    response_class=Response,
    responses=CONTENT | declare(LinkNotFoundError, RangeNotSatisfiableError),
    openapi_extra=PUBLIC,
)
async def follow_link(token: str, links: Links, storage: Stored, wanted: Asked) -> Response:
    """Download the file that a link leads to."""
    return await serve(storage, _content(await links.follow(token)), wanted)


@router.delete(
    "/attachments/{attachment_id}",
    status_code=204,
    responses=declare(*INSIDE, PermissionDeniedError, StaleVersionError),
)
async def delete_attachment(
    attachment_id: AttachmentId, actor: Writer, attachments: Attachments, if_match: IfMatch
) -> None:
    """Delete a file for good."""
    await attachments.delete(actor, attachment_id, if_match)


def _content(attachment: AnyRow) -> File:
    return File(
        attachment.object_id, attachment.size, attachment.media_type, attachment.name, attachment.sha256
    )


def _thumbnail(attachment: AnyRow) -> File:
    return File(
        attachment.thumbnail_id,
        attachment.thumbnail_size,
        MEDIA_TYPE,
        f"{attachment.name}.webp",
        attachment.thumbnail_id.hex,
    )
