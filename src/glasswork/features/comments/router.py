from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import CommentId, TaskId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.tasks.errors import TaskNotFoundError

from .errors import CommentNotFoundError
from .models import Reaction
from .schemas import CommentCreate, CommentQuery, CommentRead, CommentUpdate, CommentVersion, VersionQuery
from .service import CommentService

router = APIRouter(tags=["comments"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]
Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

INSIDE = (*AUTHORIZED, CommentNotFoundError)
WRITES = (*INSIDE, PermissionDeniedError, StaleVersionError)


async def get_comments(session: Session) -> CommentService:
    return CommentService(session)


Comments = Annotated[CommentService, Depends(get_comments)]


@router.post(
    "/tasks/{task_id}/comments",
    status_code=201,
    response_model=CommentRead,
    responses=CREATED | declare(*AUTHORIZED, TaskNotFoundError, PermissionDeniedError),
)
async def create_comment(
    task_id: TaskId, new: CommentCreate, actor: Writer, comments: Comments, response: Response
) -> Any:
    """Say something about a task, or reply to a comment that is no reply itself.

    `@username` mentions a member of the workspace, but not in code.
    """
    return created(response, "/comments", await comments.create(actor, task_id, new))


@router.get(
    "/tasks/{task_id}/comments",
    response_model=PageRead[CommentRead],
    responses=declare(*AUTHORIZED, TaskNotFoundError),
)
async def list_comments(
    task_id: TaskId, query: Annotated[CommentQuery, Query()], actor: Reader, comments: Comments
) -> Page[Any]:
    """List what is said about a task. Of a deleted comment the place is left while it has replies."""
    return await comments.page(actor, task_id, query)


@router.get("/comments/{comment_id}", response_model=CommentRead, responses=SHOWN | declare(*INSIDE))
async def get_comment(
    comment_id: CommentId,
    actor: Reader,
    comments: Comments,
    response: Response,
    if_none_match: IfNoneMatch,
    html: Annotated[bool, Query(description="Show `body_html` too.")] = False,
) -> Any:
    """Show a comment."""
    return shown(response, await comments.get(actor, comment_id, html=html), if_none_match)


@router.patch("/comments/{comment_id}", response_model=CommentRead, responses=TAGGED | declare(*WRITES))
async def update_comment(
    comment_id: CommentId,
    changes: CommentUpdate,
    actor: Writer,
    comments: Comments,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """Write my comment anew; what it was stays in its versions."""
    return tagged(response, await comments.update(actor, comment_id, changes, if_match))


@router.delete("/comments/{comment_id}", status_code=204, responses=declare(*WRITES))
async def delete_comment(comment_id: CommentId, actor: Writer, comments: Comments, if_match: IfMatch) -> None:
    """Delete a comment of mine, or as an admin anybody's; it can be restored. Replies to it stay."""
    await comments.delete(actor, comment_id, if_match)


@router.post(
    "/comments/{comment_id}/restore",
    response_model=CommentRead,
    responses=TAGGED | declare(*INSIDE, PermissionDeniedError),
)
async def restore_comment(
    comment_id: CommentId, actor: Writer, comments: Comments, response: Response
) -> Any:
    """Bring a deleted comment back, with its reactions."""
    return tagged(response, await comments.restore(actor, comment_id))


@router.get(
    "/comments/{comment_id}/versions",
    response_model=PageRead[CommentVersion],
    responses=declare(*INSIDE),
)
async def list_comment_versions(
    comment_id: CommentId, query: Annotated[VersionQuery, Query()], actor: Reader, comments: Comments
) -> Page[Any]:
    """Tell what a comment said before it was edited; not of a deleted one."""
    return await comments.versions(actor, comment_id, query)


@router.put(
    "/comments/{comment_id}/reactions/{reaction}",
    response_model=CommentRead,
    responses=TAGGED | declare(*WRITES),
)
async def add_reaction(
    comment_id: CommentId,
    reaction: Reaction,
    actor: Writer,
    comments: Comments,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """React to a comment. Repeating it changes nothing."""
    return tagged(response, await comments.react(actor, comment_id, reaction, if_match))


@router.delete(
    "/comments/{comment_id}/reactions/{reaction}",
    response_model=CommentRead,
    responses=TAGGED | declare(*WRITES),
)
async def remove_reaction(
    comment_id: CommentId,
    reaction: Reaction,
    actor: Writer,
    comments: Comments,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """Take my reaction back. Repeating it changes nothing."""
    return tagged(response, await comments.take_reaction_back(actor, comment_id, reaction, if_match))
