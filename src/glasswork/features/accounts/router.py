from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from glasswork.core.actor import Actor, Scope
from glasswork.core.concurrency import StaleVersionError
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import AsSystem, IfMatch, IfNoneMatch, NotCached, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.guessing import guessing
from glasswork.core.http.rate_limits import rated
from glasswork.core.http.resources import CREATED, SHOWN, TAGGED, created, shown, tagged
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import SessionId, UserId

from .auth import AUTHORIZED, SIGNED_IN, CurrentActor, acting
from .errors import (
    EmailTakenError,
    InvalidRefreshTokenError,
    RegistrationClosedError,
    SessionNotFoundError,
    TooYoungError,
    UsernameTakenError,
    UserNotFoundError,
)
from .models import User
from .policy import PasswordRules, registrations
from .schemas import (
    Refresh,
    Registration,
    SessionQuery,
    SessionRead,
    TokenPair,
    UserAdministration,
    UserQuery,
    UserRead,
    UserUpdate,
)
from .service import AccountService, SessionService

auth = APIRouter(prefix="/auth", tags=["auth"])
users = APIRouter(prefix="/users", tags=["users"])

Reader = Annotated[Actor, acting(Scope.PROFILE_READ)]
Writer = Annotated[Actor, acting(Scope.PROFILE_WRITE)]
AdminReader = Annotated[Actor, acting(Scope.ADMIN_READ)]
AdminWriter = Annotated[Actor, acting(Scope.ADMIN_WRITE)]


async def get_accounts(request: Request, session: Session) -> AccountService:
    settings = request.app.state.settings
    return AccountService(session, PasswordRules.of(settings), settings.registration_min_age)


async def get_sessions(request: Request, session: Session) -> SessionService:
    return SessionService(session, request.app.state.keys)


async def require_open_registration(request: Request) -> None:
    if request.app.state.settings.registration != "open":
        raise RegistrationClosedError


async def limit_registrations(request: Request) -> AsyncIterator[None]:
    async with guessing(request, registrations(request.app.state.settings)):
        yield


Accounts = Annotated[AccountService, Depends(get_accounts)]
Sessions = Annotated[SessionService, Depends(get_sessions)]


@auth.post(
    "/register",
    status_code=201,
    response_model=UserRead,
    responses=CREATED | declare(EmailTakenError, UsernameTakenError, RegistrationClosedError, TooYoungError),
    dependencies=[Depends(require_open_registration), Depends(limit_registrations, scope="function")],
    openapi_extra=PUBLIC | rated("30/minute"),
)
async def register(new: Registration, accounts: Accounts, response: Response) -> User:
    """Open an account."""
    return created(response, "/users", await accounts.register(new))


@auth.post(
    "/refresh", responses=declare(InvalidRefreshTokenError), dependencies=[NotCached], openapi_extra=PUBLIC
)
async def refresh(body: Refresh, sessions: Sessions) -> TokenPair:
    """Exchange a refresh token for new tokens; each is good for one exchange."""
    return await sessions.refresh(body.refresh_token.get_secret_value())


@auth.post("/logout", status_code=204, responses=declare(*SIGNED_IN))
async def log_out(actor: CurrentActor, sessions: Sessions) -> None:
    """End this session: its access token is refused from the next request on."""
    await sessions.log_out(actor)


@auth.get("/sessions", response_model=PageRead[SessionRead], responses=declare(*SIGNED_IN))
async def list_sessions(
    query: Annotated[SessionQuery, Query()], actor: CurrentActor, sessions: Sessions
) -> Page[Any]:
    """List where I am logged in."""
    return await sessions.page(actor, query)


@auth.delete("/sessions", status_code=204, responses=declare(*SIGNED_IN))
async def end_other_sessions(actor: CurrentActor, sessions: Sessions) -> None:
    """Log me out everywhere else."""
    await sessions.end_others(actor)


@auth.delete("/sessions/{session_id}", status_code=204, responses=declare(*SIGNED_IN, SessionNotFoundError))
async def end_session(session_id: SessionId, actor: CurrentActor, sessions: Sessions) -> None:
    """Log me out there."""
    await sessions.end_one(actor, session_id)


@users.get("/me", response_model=UserRead, responses=SHOWN | declare(*AUTHORIZED))
async def get_me(actor: Reader, accounts: Accounts, response: Response, if_none_match: IfNoneMatch) -> Any:
    """Show my account."""
    return shown(response, await accounts.me(actor), if_none_match)


@users.patch(
    "/me",
    response_model=UserRead,
    responses=TAGGED | declare(*AUTHORIZED, UsernameTakenError, StaleVersionError),
)
async def update_me(
    changes: UserUpdate, actor: Writer, accounts: Accounts, response: Response, if_match: IfMatch
) -> User:
    """Change my account."""
    return tagged(response, await accounts.update_me(actor, changes, if_match))


@users.get("", response_model=PageRead[UserRead], responses=declare(*AUTHORIZED, PermissionDeniedError))
async def list_users(
    query: Annotated[UserQuery, Query()], actor: AdminReader, accounts: Accounts
) -> Page[Any]:
    """List all accounts. For admins of the installation."""
    return await accounts.page(actor, query)


@users.get(
    "/{user_id}",
    response_model=UserRead,
    responses=SHOWN | declare(*AUTHORIZED, PermissionDeniedError, UserNotFoundError),
)
async def get_user(
    user_id: UserId, actor: AdminReader, accounts: Accounts, response: Response, if_none_match: IfNoneMatch
) -> Any:
    """Show an account. For admins of the installation."""
    return shown(response, await accounts.get(actor, user_id), if_none_match)


@users.patch(
    "/{user_id}",
    response_model=UserRead,
    responses=TAGGED | declare(*AUTHORIZED, PermissionDeniedError, UserNotFoundError, StaleVersionError),
    dependencies=[AsSystem],
)
async def update_user(
    user_id: UserId,
    changes: UserAdministration,
    actor: AdminWriter,
    accounts: Accounts,
    response: Response,
    if_match: IfMatch,
) -> User:
    """Change an account's role, or shut it off. For admins of the installation."""
    return tagged(response, await accounts.update(actor, user_id, changes, if_match))
