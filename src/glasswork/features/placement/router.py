from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import TAGGED, tagged
from glasswork.core.schemas import TaskId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.tasks.errors import TaskNotFoundError
from glasswork.features.tasks.schemas import TaskRead

from .schemas import SubtaskPage, SubtaskQuery, TaskMove, TaskPosition
from .service import PlacementService

router = APIRouter(prefix="/tasks/{task_id}", tags=["tasks"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]
Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

INSIDE = (*AUTHORIZED, TaskNotFoundError)
WRITES = (*INSIDE, PermissionDeniedError, StaleVersionError)


async def get_placement(session: Session) -> PlacementService:
    return PlacementService(session)


Placement = Annotated[PlacementService, Depends(get_placement)]


@router.get("/subtasks", response_model=SubtaskPage, responses=declare(*INSIDE))
async def list_subtasks(
    task_id: TaskId, query: Annotated[SubtaskQuery, Query()], actor: Reader, placement: Placement
) -> Any:
    """List the tasks that are parts of this one, the archived too, and how many of all are done."""
    return await placement.subtasks(actor, task_id, query)


@router.put("/position", response_model=TaskRead, responses=TAGGED | declare(*WRITES))
async def position_task(
    task_id: TaskId,
    place: TaskPosition,
    actor: Writer,
    placement: Placement,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """Put a task behind another one of its project, in the order that people make."""
    return tagged(response, await placement.put_behind(actor, task_id, place.after_id, if_match))


@router.post("/move", response_model=TaskRead, responses=TAGGED | declare(*WRITES))
async def move_task(
    task_id: TaskId,
    move: TaskMove,
    actor: Writer,
    placement: Placement,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """Move a task into another project of the workspace, with its subtasks.

    It gets a new key, and is still found by the old one. Its status becomes the one of the same key, else the
    first of the same category; labels become those of the same name, or go.
    """
    return tagged(response, await placement.move(actor, task_id, move.project_id, if_match))


@router.put("/archive", response_model=TaskRead, responses=TAGGED | declare(*WRITES))
async def archive_task(
    task_id: TaskId, actor: Writer, placement: Placement, response: Response, if_match: IfMatch
) -> Any:
    """Put a task aside, with its subtasks. Repeating it changes nothing."""
    return tagged(response, await placement.archive(actor, task_id, if_match))


@router.delete("/archive", response_model=TaskRead, responses=TAGGED | declare(*WRITES))
async def unarchive_task(
    task_id: TaskId, actor: Writer, placement: Placement, response: Response, if_match: IfMatch
) -> Any:
    """Take a task back from the archive, with what went there with it. Repeating it changes nothing."""
    return tagged(response, await placement.unarchive(actor, task_id, if_match))
