from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, created, shown
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import LinkId, TaskId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.tasks.errors import TaskNotFoundError

from .errors import TaskLinkExistsError, TaskLinkNotFoundError
from .models import TaskLink
from .schemas import TaskLinkCreate, TaskLinkQuery, TaskLinkRead
from .service import LinkService

router = APIRouter(prefix="/tasks/{task_id}/links", tags=["tasks"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]
Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

INSIDE = (*AUTHORIZED, TaskNotFoundError)


async def get_links(session: Session) -> LinkService:
    return LinkService(session)


Links = Annotated[LinkService, Depends(get_links)]


@router.post(
    "",
    status_code=201,
    response_model=TaskLinkRead,
    responses=CREATED | declare(*INSIDE, PermissionDeniedError, TaskLinkExistsError),
)
async def create_task_link(
    task_id: TaskId, new: TaskLinkCreate, actor: Writer, links: Links, response: Response
) -> TaskLink:
    """Link a task to what stands elsewhere about it."""
    return created(response, f"/tasks/{task_id}/links", await links.create(actor, task_id, new))


@router.get("", response_model=PageRead[TaskLinkRead], responses=declare(*INSIDE))
async def list_task_links(
    task_id: TaskId, query: Annotated[TaskLinkQuery, Query()], actor: Reader, links: Links
) -> Page[Any]:
    """List what stands elsewhere about a task: web pages, and the commits and pull requests that name it."""
    return await links.page(actor, task_id, query)


@router.get(
    "/{link_id}", response_model=TaskLinkRead, responses=SHOWN | declare(*INSIDE, TaskLinkNotFoundError)
)
async def get_task_link(
    task_id: TaskId,
    link_id: LinkId,
    actor: Reader,
    links: Links,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a link of a task."""
    return shown(response, await links.get(actor, task_id, link_id), if_none_match)


@router.delete(
    "/{link_id}",
    status_code=204,
    responses=declare(*INSIDE, TaskLinkNotFoundError, PermissionDeniedError, StaleVersionError),
)
async def delete_task_link(
    task_id: TaskId, link_id: LinkId, actor: Writer, links: Links, if_match: IfMatch
) -> None:
    """Take a link off a task."""
    await links.delete(actor, task_id, link_id, if_match)
