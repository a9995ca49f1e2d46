from typing import Annotated

from fastapi import APIRouter, Depends, Query

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.schemas import LabelId, StatusId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import LabelNotFoundError
from glasswork.features.workflow.errors import LastStatusError, StatusNotFoundError
from glasswork.features.workflow.schemas import StatusKey

from .errors import LabelInUseError, StatusInUseError, TooManyTasksError
from .service import RemovalService

router = APIRouter(tags=["projects"])

Writer = Annotated[Actor, acting(Scope.PROJECTS_WRITE)]


async def get_removals(session: Session) -> RemovalService:
    return RemovalService(session)


Removals = Annotated[RemovalService, Depends(get_removals)]


@router.delete(
    "/labels/{label_id}",
    status_code=204,
    responses=declare(
        *(*AUTHORIZED, LabelNotFoundError, PermissionDeniedError, StaleVersionError),
        *(LabelInUseError, TooManyTasksError),
    ),
)
async def delete_label(label_id: LabelId, actor: Writer, removals: Removals, if_match: IfMatch) -> None:
    """Delete a label and take it off its tasks."""
    await removals.delete_label(actor, label_id, if_match)


@router.delete(
    "/statuses/{status_id}",
    status_code=204,
    responses=declare(
        *(*AUTHORIZED, StatusNotFoundError, PermissionDeniedError, StaleVersionError),
        *(LastStatusError, StatusInUseError, TooManyTasksError),
    ),
)
async def delete_status(
    status_id: StatusId,
    actor: Writer,
    removals: Removals,
    if_match: IfMatch,
    move_to: Annotated[
        StatusKey | None, Query(description="Key of the status that its tasks get; not needed without any.")
    ] = None,
) -> None:
    """Delete a status; its tasks get another one. For admins of the workspace."""
    await removals.delete_status(actor, status_id, move_to, if_match)
