from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import AsSystem, IfNoneMatch, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.guessing import guessing_from_address
from glasswork.core.http.rate_limits import rated
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import InvitationId, WorkspaceId
from glasswork.features.accounts.auth import AUTHORIZED, SIGNED_IN, CurrentActor, acting
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
from glasswork.features.workspaces.errors import WorkspaceNotFoundError
from glasswork.features.workspaces.schemas import WorkspaceRead

from .errors import AlreadyMemberError, InvitationNotFoundError, InvitedSomebodyElseError
from .policy import INVITATION_TOKEN
from .schemas import (
    InvitationAcceptance,
    InvitationCreate,
    InvitationIssued,
    InvitationQuery,
    InvitationRead,
    InvitedRegistration,
)
from .service import InvitationService

router = APIRouter(prefix="/workspaces/{workspace_id}/invitations", tags=["workspaces"])
acceptance = APIRouter(prefix="/invitations", tags=["workspaces"])

Reader = Annotated[Actor, acting(Scope.WORKSPACES_READ)]
Writer = Annotated[Actor, acting(Scope.WORKSPACES_WRITE)]

INSIDE = (*AUTHORIZED, WorkspaceNotFoundError)


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

Invitations = Annotated[InvitationService, Depends(get_invitations)]
Accounts = Annotated[AccountService, Depends(get_accounts)]


@router.post(
    "", status_code=201, responses=CREATED | declare(*INSIDE, PermissionDeniedError, AlreadyMemberError)
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


@router.get("", response_model=PageRead[InvitationRead], responses=declare(*INSIDE, PermissionDeniedError))
async def list_invitations(
    workspace_id: WorkspaceId,
    query: Annotated[InvitationQuery, Query()],
    actor: Reader,
    invitations: Invitations,
) -> Page[Any]:
    """List the invitations that wait for an answer. For admins."""
    return await invitations.page(actor, workspace_id, query)


@router.get(
    "/{invitation_id}",
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
    "/{invitation_id}",
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
