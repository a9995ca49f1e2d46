from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from glasswork.core.actor import Actor, Scope
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, acting
from glasswork.features.workspaces.errors import WorkspaceNotFoundError

from .schemas import AuditQuery, AuditRead, WorkspaceAuditRead
from .service import AuditService

router = APIRouter(tags=["audit"])

Reader = Annotated[Actor, acting(Scope.AUDIT_READ)]
AdminReader = Annotated[Actor, acting(Scope.ADMIN_READ)]


async def get_audit(session: Session) -> AuditService:
    return AuditService(session)


Audit = Annotated[AuditService, Depends(get_audit)]


@router.get(
    "/workspaces/{workspace_id}/audit",
    response_model=PageRead[WorkspaceAuditRead],
    responses=declare(*AUTHORIZED, PermissionDeniedError, WorkspaceNotFoundError),
)
async def list_workspace_audit(
    workspace_id: WorkspaceId, query: Annotated[AuditQuery, Query()], actor: Reader, audit: Audit
) -> Page[Any]:
    """Show who did what in a workspace, and from where. For its admins."""
    return await audit.page_of_workspace(actor, workspace_id, query)


@router.get(
    "/audit",
    response_model=PageRead[AuditRead],
    responses=declare(*AUTHORIZED, PermissionDeniedError),
)
async def list_audit(query: Annotated[AuditQuery, Query()], actor: AdminReader, audit: Audit) -> Page[Any]:
    """Show who did what to accounts and to the installation. For its admins."""
    return await audit.page_of_installation(actor, query)
