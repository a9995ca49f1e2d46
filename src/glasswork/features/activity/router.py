from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.http.json_bytes import written
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import ProjectId, TaskId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.tasks.errors import TaskNotFoundError
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import AheadOfLogError
from .schemas import ActivityQuery, ActivityRead, ChangePage, ChangeQuery
from .service import ActivityService, ChangeService

router = APIRouter(tags=["changes"])

Reader = Annotated[Actor, acting(Scope.CHANGES_READ)]


async def get_changes(session: Session) -> ChangeService:
    return ChangeService(session)


async def get_activity(session: Session) -> ActivityService:
    return ActivityService(session)


Changes = Annotated[ChangeService, Depends(get_changes)]
Activity = Annotated[ActivityService, Depends(get_activity)]


@router.get(
    "/workspaces/{workspace_id}/changes",
    response_model=ChangePage,
    responses=declare(*AUTHORIZED, WorkspaceNotFoundError, AheadOfLogError),
)
async def list_changes(
    workspace_id: WorkspaceId,
    query: Annotated[ChangeQuery, Query()],
    actor: Reader,
    changes: Changes,
) -> Response:
    """Follow every change of a workspace, in the order in which they were committed, and miss none."""
    return written(await changes.page(actor, workspace_id, query))


@router.get(
    "/workspaces/{workspace_id}/activity",
    response_model=PageRead[ActivityRead],
    responses=declare(*AUTHORIZED, WorkspaceNotFoundError),
)
async def list_workspace_activity(
    workspace_id: WorkspaceId,
    query: Annotated[ActivityQuery, Query()],
    actor: Reader,
    activity: Activity,
) -> Page[Any]:
    """Tell what happened in a workspace, newest first; with `actor_id` what somebody did there."""
    return await activity.of_workspace(actor, workspace_id, query)


@router.get(
    "/projects/{project_id}/activity",
    response_model=PageRead[ActivityRead],
    responses=declare(*AUTHORIZED, ProjectNotFoundError),
)
async def list_project_activity(
    project_id: ProjectId, query: Annotated[ActivityQuery, Query()], actor: Reader, activity: Activity
) -> Page[Any]:
    """Tell what happened to a project and to the tasks that are in it now, newest first."""
    return await activity.of_project(actor, project_id, query)


@router.get(
    "/tasks/{task_id}/activity",
    response_model=PageRead[ActivityRead],
    responses=declare(*AUTHORIZED, TaskNotFoundError),
)
async def list_task_activity(
    task_id: TaskId, query: Annotated[ActivityQuery, Query()], actor: Reader, activity: Activity
) -> Page[Any]:
    """Tell what happened to a task, its comments, files, links and relations, newest first."""
    return await activity.of_task(actor, task_id, query)
