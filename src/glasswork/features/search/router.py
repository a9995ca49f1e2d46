from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from glasswork.core.actor import Actor, Scope
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.http.rate_limits import rated
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import ProjectId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.tasks.schemas import TaskRead
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .schemas import FoundTask, SearchQuery, TaskQuery, WorkspaceTaskQuery
from .service import SearchService

router = APIRouter(tags=["tasks"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]


async def get_search(session: Session) -> SearchService:
    return SearchService(session)


Search = Annotated[SearchService, Depends(get_search)]


@router.get(
    "/projects/{project_id}/tasks",
    response_model=PageRead[TaskRead],
    responses=declare(*AUTHORIZED, ProjectNotFoundError),
)
async def list_project_tasks(
    project_id: ProjectId, query: Annotated[TaskQuery, Query()], actor: Reader, search: Search
) -> Page[Any]:
    """List the tasks of a project."""
    return await search.page_of_project(actor, project_id, query)


@router.get(
    "/workspaces/{workspace_id}/tasks",
    response_model=PageRead[TaskRead],
    responses=declare(*AUTHORIZED, WorkspaceNotFoundError),
)
async def list_workspace_tasks(
    workspace_id: WorkspaceId,
    query: Annotated[WorkspaceTaskQuery, Query()],
    actor: Reader,
    search: Search,
) -> Page[Any]:
    """List and search the tasks of all projects of a workspace."""
    return await search.page_of_workspace(actor, workspace_id, query)


@router.get(
    "/workspaces/{workspace_id}/search",
    response_model=PageRead[FoundTask],
    responses=declare(*AUTHORIZED, WorkspaceNotFoundError),
    openapi_extra=rated("120/minute"),
)
async def search_tasks(
    workspace_id: WorkspaceId, query: Annotated[SearchQuery, Query()], actor: Reader, search: Search
) -> Page[FoundTask]:
    """Find tasks by their words, the best first: the newest 2,000 that match are ranked, archived too."""
    return await search.find(actor, workspace_id, query)
