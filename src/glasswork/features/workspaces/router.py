from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import AsSystem, IfMatch, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.guessing import guessing_from_address
from glasswork.core.http.rate_limits import rated
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import InvitationId, UserId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, RECENTLY_SIGNED_IN, SIGNED_IN, CurrentActor, acting
from glasswork.features.accounts.errors import (
    EmailTakenError,
    RegistrationClosedError,
    TooYoungError,
    UsernameTakenError,
)
from glasswork.features.accounts.models import User
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.accounts.schemas import UserRead
from glasswork.features.accounts.service import AccountService

from .errors import (
    AlreadyMemberError,
    InvitationNotFoundError,
    InvitedSomebodyElseError,
    LastOwnerError,
    MemberNotFoundError,
    SlugTakenError,
    WorkspaceNotFoundError,
)
from .models import Workspace
from .policy import INVITATION_TOKEN
from .schemas import (
    InvitationAcceptance,
    InvitationCreate,
    InvitationIssued,
    InvitationQuery,
    InvitationRead,
    InvitedRegistration,
    MemberQuery,
    MemberRead,
    MemberUpdate,
    OwnershipTransfer,
    WorkspaceCreate,
    WorkspaceQuery,
    WorkspaceRead,
    WorkspaceUpdate,
)
from .service import InvitationService, MemberService, WorkspaceService

router = APIRouter(prefix="/workspaces", tags=["workspaces"])
acceptance = APIRouter(prefix="/invitations", tags=["workspaces"])

Reader = Annotated[Actor, acting(Scope.WORKSPACES_READ)]
Writer = Annotated[Actor, acting(Scope.WORKSPACES_WRITE)]

INSIDE = (*AUTHORIZED, WorkspaceNotFoundError)


async def get_workspaces(session: Session) -> WorkspaceService:
    return WorkspaceService(session)


async def get_members(session: Session) -> MemberService:
    return MemberService(session)


async def get_invitations(request: Request, session: Session) -> InvitationService:
    return InvitationService(session, request.app.state.keys)


async def get_accounts(request: Request, session: Session) -> AccountService:
    """For those who accept."""
    settings = request.app.state.settings
    return AccountService(session, PasswordRules.of(settings), settings.registration_min_age)


async def require_registration(request: Request) -> None:
    if request.app.state.settings.registration == "closed":
        raise RegistrationClosedError


LimitTokens = guessing_from_address(INVITATION_TOKEN)

Workspaces = Annotated[WorkspaceService, Depends(get_workspaces)]
Members = Annotated[MemberService, Depends(get_members)]
Invitations = Annotated[InvitationService, Depends(get_invitations)]
Accounts = Annotated[AccountService, Depends(get_accounts)]


@router.post(
    "",
    status_code=201,
    response_model=WorkspaceRead,
    responses=CREATED | declare(*AUTHORIZED, PermissionDeniedError, SlugTakenError),
    dependencies=[AsSystem],
)
async def create_workspace(
    new: WorkspaceCreate, actor: Writer, workspaces: Workspaces, response: Response
) -> Workspace:
    """Open a workspace; its maker is its owner."""
    return created(response, "/workspaces", await workspaces.create(actor, new))


@router.get("", response_model=PageRead[WorkspaceRead], responses=declare(*AUTHORIZED))
async def list_workspaces(
    query: Annotated[WorkspaceQuery, Query()], actor: Reader, workspaces: Workspaces
) -> Page[Any]:
    """List the workspaces that I am a member of."""
    return await workspaces.page(actor, query)


@router.get("/{workspace_id}", response_model=WorkspaceRead, responses=SHOWN | declare(*INSIDE))
async def get_workspace(
    workspace_id: WorkspaceId,
    actor: Reader,
    workspaces: Workspaces,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show a workspace."""
    return shown(response, await workspaces.get(actor, workspace_id), if_none_match)


@router.patch(
    "/{workspace_id}",
    response_model=WorkspaceRead,
    responses=TAGGED | declare(*INSIDE, PermissionDeniedError, SlugTakenError, StaleVersionError),
)
async def update_workspace(
    workspace_id: WorkspaceId,
    changes: WorkspaceUpdate,
    actor: Writer,
    workspaces: Workspaces,
    response: Response,
    if_match: IfMatch,
) -> Workspace:
    """Change a workspace. For its admins."""
    return tagged(response, await workspaces.update(actor, workspace_id, changes, if_match))


@router.delete(
    "/{workspace_id}",
    status_code=204,
    responses=declare(*RECENTLY_SIGNED_IN, WorkspaceNotFoundError, PermissionDeniedError, StaleVersionError),
)
async def delete_workspace(
    workspace_id: WorkspaceId, actor: CurrentActor, workspaces: Workspaces, if_match: IfMatch
) -> None:
    """Delete a workspace with all that is in it. For its owners."""
    await workspaces.delete(actor, workspace_id, if_match)


@router.get("/{workspace_id}/members", response_model=PageRead[MemberRead], responses=declare(*INSIDE))
async def list_members(
    workspace_id: WorkspaceId,
    query: Annotated[MemberQuery, Query()],
    actor: Reader,
    members: Members,
) -> Page[Any]:
    """List the members of a workspace."""
    return await members.page(actor, workspace_id, query)


@router.get(
    "/{workspace_id}/members/{user_id}",
    response_model=MemberRead,
    responses=SHOWN | declare(*INSIDE, MemberNotFoundError),
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
    "/{workspace_id}/members/{user_id}",
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
    "/{workspace_id}/members/{user_id}",
    status_code=204,
    responses=declare(*INSIDE, PermissionDeniedError, MemberNotFoundError, LastOwnerError, StaleVersionError),
)
async def remove_member(
    workspace_id: WorkspaceId, user_id: UserId, actor: Writer, members: Members, if_match: IfMatch
) -> None:
    """Remove a member (for admins), or leave."""
    await members.remove(actor, workspace_id, user_id, if_match)


@router.post(
    "/{workspace_id}/transfer",
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


@router.post(
    "/{workspace_id}/invitations",
    status_code=201,
    responses=CREATED | declare(*INSIDE, PermissionDeniedError, AlreadyMemberError),
)
async def create_invitation(
    workspace_id: WorkspaceId,
    new: InvitationCreate,
    actor: Writer,
    invitations: Invitations,
    response: Response,
) -> InvitationIssued:
    """Invite an e-mail address; the answer holds the token, this once. For admins."""
    return created(
        response,
        f"/workspaces/{workspace_id}/invitations",
        await invitations.create(actor, workspace_id, new),
    )


@router.get(
    "/{workspace_id}/invitations",
    response_model=PageRead[InvitationRead],
    responses=declare(*INSIDE, PermissionDeniedError),
)
async def list_invitations(
    workspace_id: WorkspaceId,
    query: Annotated[InvitationQuery, Query()],
    actor: Reader,
    invitations: Invitations,
) -> Page[Any]:
    """List the invitations that wait for an answer. For admins."""
    return await invitations.page(actor, workspace_id, query)


@router.get(
    "/{workspace_id}/invitations/{invitation_id}",
    response_model=InvitationRead,
    responses=SHOWN | declare(*INSIDE, PermissionDeniedError, InvitationNotFoundError),
)
async def get_invitation(
    workspace_id: WorkspaceId,
    invitation_id: InvitationId,
    actor: Reader,
    invitations: Invitations,
    response: Response,
    if_none_match: IfNoneMatch,
) -> Any:
    """Show an invitation that waits for an answer. For admins."""
    return shown(response, await invitations.get(actor, workspace_id, invitation_id), if_none_match)


@router.delete(
    "/{workspace_id}/invitations/{invitation_id}",
    status_code=204,
    responses=declare(*INSIDE, PermissionDeniedError, InvitationNotFoundError),
)
async def withdraw_invitation(
    workspace_id: WorkspaceId, invitation_id: InvitationId, actor: Writer, invitations: Invitations
) -> None:
    """Withdraw an invitation. For admins."""
    await invitations.withdraw(actor, workspace_id, invitation_id)


@acceptance.post(
    "/register",
    status_code=201,
    response_model=UserRead,
    responses=CREATED
    | declare(
        InvitationNotFoundError,
        EmailTakenError,
        UsernameTakenError,
        RegistrationClosedError,
        TooYoungError,
    ),
    dependencies=[AsSystem, Depends(require_registration), LimitTokens],
    openapi_extra=PUBLIC | rated("30/minute"),
)
async def register_invited(
    new: InvitedRegistration, invitations: Invitations, accounts: Accounts, response: Response
) -> User:
    """Open an account for the e-mail address that was invited, and become a member."""
    return created(response, "/users", await invitations.register(accounts, new))


@acceptance.post(
    "/accept",
    response_model=WorkspaceRead,
    responses=TAGGED
    | declare(*SIGNED_IN, InvitedSomebodyElseError, InvitationNotFoundError, AlreadyMemberError),
    dependencies=[AsSystem, LimitTokens],
)
async def accept_invitation(
    body: InvitationAcceptance, actor: CurrentActor, invitations: Invitations, response: Response
) -> Any:
    """Become a member of the workspace that invited my e-mail address."""
    return tagged(response, await invitations.accept(actor, body.token.get_secret_value()))
