from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import TAGGED, tagged
from glasswork.core.schemas import TaskId, UserId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.tasks.errors import TaskNotFoundError
from glasswork.features.tasks.schemas import TaskRead
from glasswork.features.workspaces.errors import MemberNotFoundError

from .service import WatcherService

router = APIRouter(prefix="/tasks/{task_id}/watchers", tags=["tasks"])

Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

WRITES = (*AUTHORIZED, TaskNotFoundError, PermissionDeniedError, StaleVersionError)


async def get_watchers(session: Session) -> WatcherService:
    return WatcherService(session)


Watchers = Annotated[WatcherService, Depends(get_watchers)]


@router.put("/{user_id}", response_model=TaskRead, responses=TAGGED | declare(*WRITES, MemberNotFoundError))
async def watch_task(
    task_id: TaskId,
    user_id: UserId,
    actor: Writer,
    watchers: Watchers,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """Let a member watch a task; viewers do so only for themselves. Repeating it changes nothing."""
    return tagged(response, await watchers.watch(actor, task_id, user_id, if_match))


@router.delete("/{user_id}", response_model=TaskRead, responses=TAGGED | declare(*WRITES))
async def unwatch_task(
    task_id: TaskId,
    user_id: UserId,
    actor: Writer,
    watchers: Watchers,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """Let somebody watch a task no longer. Repeating it changes nothing."""
    return tagged(response, await watchers.unwatch(actor, task_id, user_id, if_match))
