from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import LabelId, ProjectId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .errors import LabelNameTakenError, LabelNotFoundError, ProjectKeyTakenError, ProjectNotFoundError
from .models import Label, Project
from .schemas import (
    LabelCreate,
    LabelQuery,
    LabelRead,
    LabelUpdate,
    ProjectCreate,
    ProjectQuery,
    ProjectRead,
    ProjectUpdate,
)
from .service import LabelService, ProjectService

router = APIRouter(tags=["projects"])

Reader = Annotated[Actor, acting(Scope.PROJECTS_READ)]
Writer = Annotated[Actor, acting(Scope.PROJECTS_WRITE)]

INSIDE = (*AUTHORIZED, ProjectNotFoundError)


async def get_projects(session: Session) -> ProjectService:
    return ProjectService(session)


async def get_labels(session: Session) -> LabelService:
    return LabelService(session)


Projects = Annotated[ProjectService, Depends(get_projects)]
Labels = Annotated[LabelService, Depends(get_labels)]


@router.post(
    "/workspaces/{workspace_id}/projects",
    status_code=201,
    response_model=ProjectRead,
    responses=CREATED
    | declare(*AUTHORIZED, WorkspaceNotFoundError, PermissionDeniedError, ProjectKeyTakenError),
)
async def create_project(
    workspace_id: WorkspaceId,
    new: ProjectCreate,
    actor: Writer,
    projects: Projects,
    response: Response,
) -> Project:
    """Start a project, with the statuses to do, in progress and done."""
    return created(response, "/projects", await projects.create(actor, workspace_id, new))


@router.get(
    "/workspaces/{workspace_id}/projects",
    response_model=PageRead[ProjectRead],
    responses=declare(*AUTHORIZED, WorkspaceNotFoundError),
)
async def list_projects(
    workspace_id: WorkspaceId,
    query: Annotated[ProjectQuery, Query()],
    actor: Reader,
    projects: Projects,
) -> Page[Any]:
    """List the projects of a workspace."""
    return await projects.page(actor, workspace_id, query)


@router.get("/projects/{project_id}", response_model=ProjectRead, responses=SHOWN | declare(*INSIDE))
async def get_project(
    project_id: ProjectId, actor: Reader, projects: Projects, response: Response, if_none_match: IfNoneMatch
) -> Any:
    """Show a project."""
    return shown(response, await projects.get(actor, project_id), if_none_match)


@router.patch(
    "/projects/{project_id}",
    response_model=ProjectRead,
    responses=TAGGED | declare(*INSIDE, PermissionDeniedError, StaleVersionError),
)
async def update_project(
    project_id: ProjectId,
    changes: ProjectUpdate,
    actor: Writer,
    projects: Projects,
    response: Response,
    if_match: IfMatch,
) -> Project:
    """Change a project. For admins of the workspace."""
    return tagged(response, await projects.update(actor, project_id, changes, if_match))


@router.delete(
    "/projects/{project_id}",
    status_code=204,
    responses=declare(*INSIDE, PermissionDeniedError, StaleVersionError),
)
async def delete_project(project_id: ProjectId, actor: Writer, projects: Projects, if_match: IfMatch) -> None:
    """Delete a project with its tasks. For admins of the workspace."""
    await projects.delete(actor, project_id, if_match)


@router.post(
    "/projects/{project_id}/labels",
    status_code=201,
    response_model=LabelRead,
    responses=CREATED | declare(*INSIDE, PermissionDeniedError, LabelNameTakenError),
)
async def create_label(
    project_id: ProjectId, new: LabelCreate, actor: Writer, labels: Labels, response: Response
) -> Label:
    """Make a label for the project's tasks."""
    return created(response, "/labels", await labels.create(actor, project_id, new))


@router.get("/projects/{project_id}/labels", response_model=PageRead[LabelRead], responses=declare(*INSIDE))
async def list_labels(
    project_id: ProjectId, query: Annotated[LabelQuery, Query()], actor: Reader, labels: Labels
) -> Page[Any]:
    """List the project's own labels, and those of its workspace."""
    return await labels.page(actor, project_id, query)


@router.post(
    "/workspaces/{workspace_id}/labels",
    status_code=201,
    response_model=LabelRead,
    responses=CREATED
    | declare(*AUTHORIZED, WorkspaceNotFoundError, PermissionDeniedError, LabelNameTakenError),
)
async def create_workspace_label(
    workspace_id: WorkspaceId, new: LabelCreate, actor: Writer, labels: Labels, response: Response
) -> Label:
    """Make a label for the tasks of all projects. For admins of the workspace."""
    return created(response, "/labels", await labels.create_in_workspace(actor, workspace_id, new))


@router.get(
    "/workspaces/{workspace_id}/labels",
    response_model=PageRead[LabelRead],
    responses=declare(*AUTHORIZED, WorkspaceNotFoundError),
)
async def list_workspace_labels(
    workspace_id: WorkspaceId, query: Annotated[LabelQuery, Query()], actor: Reader, labels: Labels
) -> Page[Any]:
    """List the labels that are for the tasks of all projects."""
    return await labels.page_of_workspace(actor, workspace_id, query)


@router.get(
    "/labels/{label_id}",
    response_model=LabelRead,
    responses=SHOWN | declare(*AUTHORIZED, LabelNotFoundError),
)
async def get_label(
    label_id: LabelId, actor: Reader, labels: Labels, response: Response, if_none_match: IfNoneMatch
) -> Any:
    """Show a label."""
    return shown(response, await labels.get(actor, label_id), if_none_match)


@router.patch(
    "/labels/{label_id}",
    response_model=LabelRead,
    responses=TAGGED
    | declare(*AUTHORIZED, LabelNotFoundError, PermissionDeniedError, LabelNameTakenError, StaleVersionError),
)
async def update_label(
    label_id: LabelId,
    changes: LabelUpdate,
    actor: Writer,
    labels: Labels,
    response: Response,
    if_match: IfMatch,
) -> Label:
    """Change a label. One of the workspace is for its admins to change."""
    return tagged(response, await labels.update(actor, label_id, changes, if_match))
