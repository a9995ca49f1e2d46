from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import CREATED, SHOWN, created, shown
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import RelationId, TaskId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.tasks.errors import TaskNotFoundError

from .errors import RelationExistsError, RelationNotFoundError
from .schemas import RelationCreate, RelationQuery, RelationRead
from .service import RelationService

router = APIRouter(prefix="/tasks/{task_id}/relations", tags=["tasks"])

Reader = Annotated[Actor, acting(Scope.TASKS_READ)]
Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]

INSIDE = (*AUTHORIZED, TaskNotFoundError)


async def get_relations(session: Session) -> RelationService:
    return RelationService(session)


Relations = Annotated[RelationService, Depends(get_relations)]


@router.post(
    "",
    status_code=201,
    response_model=RelationRead,
    responses=CREATED | declare(*INSIDE, PermissionDeniedError, RelationExistsError),
)
async def create_relation(
    task_id: TaskId, new: RelationCreate, actor: Writer, relations: Relations, response: Response
) -> Any:
    """Say what a task is to another one of the workspace. What blocks must not come back to itself."""
    return created(response, f"/tasks/{task_id}/relations", await relations.create(actor, task_id, new))


@router.get("", response_model=PageRead[RelationRead], responses=declare(*INSIDE))
async def list_relations(
    task_id: TaskId, query: Annotated[RelationQuery, Query()], actor: Reader, relations: Relations
) -> Page[Any]:
    """List what a task is to others, from its side; while the other one is deleted it is left out."""
    return await relations.page(actor, task_id, query)


@router.get(
    "/{relation_id}",
    response_model=RelationRead,
    responses=SHOWN | declare(*INSIDE, RelationNotFoundError),
)
async def get_relation(
    task_id: TaskId,
    relation_id: RelationId,
    actor: Reader,
    relations: Relations,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show what a task is to another one, from its side."""
    return shown(response, await relations.get(actor, task_id, relation_id), if_none_match)


@router.delete(
    "/{relation_id}",
    status_code=204,
    responses=declare(*INSIDE, RelationNotFoundError, PermissionDeniedError, StaleVersionError),
)
async def delete_relation(
    task_id: TaskId, relation_id: RelationId, actor: Writer, relations: Relations, if_match: IfMatch
) -> None:
    """Take a relation back."""
    await relations.delete(actor, task_id, relation_id, if_match)
