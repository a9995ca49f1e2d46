from typing import Annotated

from fastapi import APIRouter, Depends, Query

from glasswork.core.actor import Actor, Scope
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.schemas import WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .schemas import ChangePage, ChangeQuery
from .service import ChangeService

router = APIRouter(tags=["changes"])

Reader = Annotated[Actor, acting(Scope.CHANGES_READ)]


async def get_changes(session: Session) -> ChangeService:
    return ChangeService(session)


Changes = Annotated[ChangeService, Depends(get_changes)]


@router.get("/workspaces/{workspace_id}/changes", responses=declare(*AUTHORIZED, WorkspaceNotFoundError))
async def list_changes(
    workspace_id: WorkspaceId,
    query: Annotated[ChangeQuery, Query()],
    actor: Reader,
    changes: Changes,
) -> ChangePage:
    """Follow every change of a workspace, in the order in which they were committed, and miss none."""
    return await changes.page(actor, workspace_id, query)
