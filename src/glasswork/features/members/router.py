from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.dependencies import IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import SHOWN, TAGGED, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import UserId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, RECENTLY_SIGNED_IN, CurrentActor, acting
from glasswork.features.workspaces.errors import MemberNotFoundError, WorkspaceNotFoundError
from glasswork.features.workspaces.schemas import MemberRead

from .errors import LastOwnerError
from .schemas import MemberQuery, MemberUpdate, OwnershipTransfer
from .service import MemberService

router = APIRouter(prefix="/workspaces/{workspace_id}", tags=["workspaces"])

Reader = Annotated[Actor, acting(Scope.WORKSPACES_READ)]
Writer = Annotated[Actor, acting(Scope.WORKSPACES_WRITE)]

INSIDE = (*AUTHORIZED, WorkspaceNotFoundError)


async def get_members(session: Session) -> MemberService:
    return MemberService(session)


Members = Annotated[MemberService, Depends(get_members)]


@router.get("/members", response_model=PageRead[MemberRead], responses=declare(*INSIDE))
async def list_members(
    workspace_id: WorkspaceId,
    query: Annotated[MemberQuery, Query()],
    actor: Reader,
    members: Members,
) -> Page[Any]:
    """List the members of a workspace."""
    return await members.page(actor, workspace_id, query)


@router.get(
    "/members/{user_id}", response_model=MemberRead, responses=SHOWN | declare(*INSIDE, MemberNotFoundError)
)
async def get_member(
    workspace_id: WorkspaceId,
    user_id: UserId,
    actor: Reader,
    members: Members,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a member and the role."""
    return shown(response, await members.get(actor, workspace_id, user_id), if_none_match)


@router.patch(
    "/members/{user_id}",
    response_model=MemberRead,
    responses=TAGGED
    | declare(*INSIDE, PermissionDeniedError, MemberNotFoundError, LastOwnerError, StaleVersionError),
)
async def update_member(
    workspace_id: WorkspaceId,
    user_id: UserId,
    changes: MemberUpdate,
    actor: Writer,
    members: Members,
    response: Response,
    if_match: IfMatch,
) -> Any:
    """Give a member another role, at most one's own. For admins."""
    return tagged(response, await members.update(actor, workspace_id, user_id, changes, if_match))


@router.delete(
    "/members/{user_id}",
    status_code=204,
    responses=declare(*INSIDE, PermissionDeniedError, MemberNotFoundError, LastOwnerError, StaleVersionError),
)
async def remove_member(
    workspace_id: WorkspaceId, user_id: UserId, actor: Writer, members: Members, if_match: IfMatch
) -> None:
    """Remove a member (for admins), or leave."""
    await members.remove(actor, workspace_id, user_id, if_match)


@router.post(
    "/transfer",
    response_model=MemberRead,
    responses=TAGGED
    | declare(*RECENTLY_SIGNED_IN, WorkspaceNotFoundError, PermissionDeniedError, MemberNotFoundError),
)
async def transfer_workspace(
    workspace_id: WorkspaceId,
    body: OwnershipTransfer,
    actor: CurrentActor,
    members: Members,
    response: Response,
) -> Any:
    """Make a member owner in my place; I stay as admin. For owners."""
    return tagged(response, await members.transfer(actor, workspace_id, body.user_id))
