from typing import Annotated

from fastapi import APIRouter, Depends, Query

from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.schemas import WorkspaceId
from glasswork.features.accounts.auth import SIGNED_IN, CurrentActor
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .schemas import ChangePage, ChangeQuery
from .service import ChangeService

router = APIRouter(tags=["changes"])


async def get_changes(session: Session) -> ChangeService:
    return ChangeService(session)


Changes = Annotated[ChangeService, Depends(get_changes)]


@router.get("/workspaces/{workspace_id}/changes", responses=declare(*SIGNED_IN, WorkspaceNotFoundError))
async def list_changes(
    workspace_id: WorkspaceId,
    query: Annotated[ChangeQuery, Query()],
    actor: CurrentActor,
    changes: Changes,
) -> ChangePage:
    """Follow every change of a workspace, in the order in which they were committed, and miss none."""
    return await changes.page(actor, workspace_id, query)
