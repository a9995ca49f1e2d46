from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import SHOWN, TAGGED, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import TaskId, Timestamp
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.tasks.errors import TaskNotFoundError
from glasswork.features.tasks.schemas import TaskRead

from .errors import CannotUndoError, NothingToUndoError
from .schemas import HistoryEntry, HistoryQuery
from .service import HistoryService

router = APIRouter(prefix="/tasks/{task_id}", tags=["tasks"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]
Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

INSIDE = (*AUTHORIZED, TaskNotFoundError)


async def get_history(session: Session) -> HistoryService:
    return HistoryService(session)


History = Annotated[HistoryService, Depends(get_history)]


@router.get("", response_model=TaskRead, responses=SHOWN | declare(*INSIDE))
async def get_task(
    task_id: TaskId,
    actor: Reader,
    history: History,
    response: Response,
    if_none_match: IfNoneMatch,
    at: Annotated[
        Timestamp | None, Query(description="Show it as it was then; 404 if it was not there.")
    ] = None,
) -> Any:
    """Show a task, as it is or as it was."""
    return shown(response, await history.get(actor, task_id, at), if_none_match)


@router.get("/history", response_model=PageRead[HistoryEntry], responses=declare(*INSIDE))
async def list_task_history(
    task_id: TaskId, query: Annotated[HistoryQuery, Query()], actor: Reader, history: History
) -> Page[Any]:
    """Tell who changed what of a task, from what to what; also of a deleted one."""
    return await history.page(actor, task_id, query)


@router.post(
    "/undo",
    response_model=TaskRead,
    responses=TAGGED
    | declare(*INSIDE, PermissionDeniedError, StaleVersionError, NothingToUndoError, CannotUndoError),
)
async def undo_task_change(
    task_id: TaskId, actor: Writer, history: History, response: Response, if_match: IfMatch
) -> Any:
    """Set the fields back that the last change of the task changed. Undoing that does it again."""
    return tagged(response, await history.undo(actor, task_id, if_match))
