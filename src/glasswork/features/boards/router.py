from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from glasswork.core.actor import Actor, Scope
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.schemas import ProjectId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError

from .schemas import Board, BoardQuery, ShownBoard, Summary, SummaryQuery
from .service import BoardService

router = APIRouter(prefix="/projects/{project_id}", tags=["projects"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]

INSIDE = (*AUTHORIZED, ProjectNotFoundError)


async def get_boards(request: Request, session: Session) -> BoardService:
    return BoardService(session, request.app.state.cache)


Boards = Annotated[BoardService, Depends(get_boards)]


@router.get("/board", response_model=Board, responses=declare(*INSIDE))
async def get_project_board(
    project_id: ProjectId, query: Annotated[BoardQuery, Query()], actor: Reader, boards: Boards
) -> ShownBoard:
    """Show the project's statuses as columns, each with its first tasks; archived ones are left out."""
    return await boards.board(actor, project_id, query)


@router.get("/summary", responses=declare(*INSIDE))
async def get_project_summary(
    project_id: ProjectId, query: Annotated[SummaryQuery, Query()], actor: Reader, boards: Boards
) -> Summary:
    """Count the project's tasks by what matters of them."""
    return await boards.summary(actor, project_id, query.time_zone)
