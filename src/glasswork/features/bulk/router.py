from typing import Annotated

from fastapi import APIRouter, Depends

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.http.rate_limits import rated
from glasswork.core.schemas import WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.projects.errors import ProjectNotFoundError
from glasswork.features.tasks.errors import StatusRemovedError, TaskNotFoundError, TransitionNotAllowedError
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .schemas import Bulk, BulkRead
from .service import BulkService

router = APIRouter(prefix="/workspaces/{workspace_id}/tasks/bulk", tags=["tasks"])

Writer = Annotated[Actor, acting(Scope.TASKS_WRITE)]


async def get_bulk(session: Session) -> BulkService:
    return BulkService(session)


@router.post(
    "",
    responses=declare(
        *AUTHORIZED,
        WorkspaceNotFoundError,
        ProjectNotFoundError,
        TaskNotFoundError,
        PermissionDeniedError,
        StaleVersionError,
        StatusRemovedError,
        TransitionNotAllowedError,
    ),
    openapi_extra=rated("60/minute"),
)
async def bulk_change_tasks(
    workspace_id: WorkspaceId, bulk: Bulk, actor: Writer, service: Annotated[BulkService, Depends(get_bulk)]
) -> BulkRead:
    """Do up to 500 operations on a workspace's tasks, one after the other, in one transaction.

    `atomic`: the first that is refused undoes all, and is the answer, with its `index` in the details.
    `best_effort`: what can be done is done, and each operation has its own answer.
    """
    return BulkRead(items=await service.run(actor, workspace_id, bulk))
