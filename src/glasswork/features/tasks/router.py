from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.schemas import ProjectId, TaskId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError

from .errors import StatusRemovedError, TaskNotFoundError, TransitionNotAllowedError
from .schemas import Key, TaskCreate, TaskRead, TaskUpdate
from .service import TaskService

router = APIRouter(tags=["tasks"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]
Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

INSIDE = (*AUTHORIZED, TaskNotFoundError)
WRITES = (*INSIDE, PermissionDeniedError, StaleVersionError)
MOVES = (*WRITES, TransitionNotAllowedError, StatusRemovedError)


async def get_tasks(session: Session) -> TaskService:
    return TaskService(session)


Tasks = Annotated[TaskService, Depends(get_tasks)]


@router.post(
    "/projects/{project_id}/tasks",
    status_code=201,
    response_model=TaskRead,
    responses=CREATED | declare(*AUTHORIZED, ProjectNotFoundError, PermissionDeniedError, StatusRemovedError),
)
async def create_task(
    project_id: ProjectId, new: TaskCreate, actor: Writer, tasks: Tasks, response: Response
) -> Any:
    """Open a task in a project."""
    return created(response, "/tasks", await tasks.create(actor, project_id, new))


@router.get(
    "/workspaces/{workspace_id}/tasks/{key}", response_model=TaskRead, responses=SHOWN | declare(*INSIDE)
)
async def get_task_by_key(
    workspace_id: WorkspaceId,
    key: Annotated[Key, Path()],
    actor: Reader,
    tasks: Tasks,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a task by its key, such as `OPS-42`."""
    return shown(response, await tasks.get_by_key(actor, workspace_id, key), if_none_match)


@router.patch(
    "/tasks/{task_id}", response_model=TaskRead, responses=TAGGED | declare(*WRITES, StatusRemovedError)
)
async def update_task(
    task_id: TaskId,
    changes: TaskUpdate,
    actor: Writer,
    tasks: Tasks,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """Change the fields that are sent, and no others; `null` clears one."""
    return tagged(response, await tasks.update(actor, task_id, changes, if_match))


@router.delete("/tasks/{task_id}", status_code=204, responses=declare(*WRITES))
async def delete_task(task_id: TaskId, actor: Writer, tasks: Tasks, if_match: IfMatch) -> None:
    """Delete a task; it can be restored."""
    await tasks.delete(actor, task_id, if_match)


@router.post(
    "/tasks/{task_id}/restore",
    response_model=TaskRead,
    responses=TAGGED | declare(*INSIDE, PermissionDeniedError),
)
async def restore_task(task_id: TaskId, actor: Writer, tasks: Tasks, response: Response) -> Any:
    """Bring a deleted task back."""
    return tagged(response, await tasks.restore(actor, task_id))


@router.put("/tasks/{task_id}/completion", response_model=TaskRead, responses=TAGGED | declare(*MOVES))
async def complete_task(
    task_id: TaskId, actor: Writer, tasks: Tasks, response: Response, if_match: IfMatch
) -> Any:
    """Move a task to the first done status that may follow its own. Repeating it changes nothing."""
    return tagged(response, await tasks.complete(actor, task_id, if_match))


@router.delete("/tasks/{task_id}/completion", response_model=TaskRead, responses=TAGGED | declare(*MOVES))
async def reopen_task(
    task_id: TaskId, actor: Writer, tasks: Tasks, response: Response, if_match: IfMatch
) -> Any:
    """Move a done task to the first status to do that may follow its own. Repeating it changes nothing."""
    return tagged(response, await tasks.reopen(actor, task_id, if_match))
