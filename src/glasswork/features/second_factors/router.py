from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.security import OAuth2PasswordRequestForm

from glasswork.core.errors import PermissionDeniedError
from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import Device, NotCached, Session
from glasswork.core.http.errors import declare
from glasswork.core.http.guessing import guessing, guessing_from_address
from glasswork.core.http.rate_limits import rated
from glasswork.core.http.resources import API_PREFIX
from glasswork.core.schemas import UserId
from glasswork.features.accounts.auth import RECENTLY_SIGNED_IN, SIGNED_IN, CurrentActor
from glasswork.features.accounts.errors import InvalidCredentialsError, UserNotFoundError
from glasswork.features.accounts.policy import LOGIN
from glasswork.features.accounts.schemas import TokenPair
from glasswork.features.credentials.auth import LimitOwnPassword
from glasswork.features.credentials.errors import WrongPasswordError

from .errors import (
    InvalidChallengeError,
    InvalidSecondFactorError,
    SecondFactorRequiredError,
    TotpEnabledError,
    TotpNotFoundError,
    WrongCodeError,
)
from .policy import SECOND_FACTOR
from .schemas import (
    MAX_CODE_LENGTH,
    Reauthentication,
    RecoveryCodes,
    SecondFactor,
    TotpBegin,
    TotpConfirmation,
    TotpIssued,
    TotpRead,
)
from .service import LoginService, TotpService

router = APIRouter(prefix="/auth", tags=["auth"])
administration = APIRouter(prefix="/users", tags=["users"])


async def get_logins(request: Request, session: Session) -> LoginService:
    return LoginService(session, request.app.state.keys)


async def get_totp(request: Request, session: Session) -> TotpService:
    return TotpService(session, request.app.state.keys)


LoginForm = Annotated[OAuth2PasswordRequestForm, Depends()]


async def limit_logins(request: Request, form: LoginForm) -> AsyncIterator[None]:
    async with guessing(request, LOGIN, form.username):
        yield


async def tell_location(response: Response) -> None:
    response.headers["Location"] = f"{API_PREFIX}/auth/totp"


Logins = Annotated[LoginService, Depends(get_logins)]
Totp = Annotated[TotpService, Depends(get_totp)]
FormCode = Annotated[
    str | None,
    Form(max_length=MAX_CODE_LENGTH, description="Of the second factor, where one is on."),
]


@router.post(
    "/token",
    responses=declare(InvalidCredentialsError, SecondFactorRequiredError, InvalidSecondFactorError),
    dependencies=[NotCached, Depends(limit_logins, scope="function")],
    openapi_extra=PUBLIC | rated("60/minute"),
)
async def log_in(
    form: LoginForm,
    logins: Logins,
    code: FormCode = None,
    device: Device = None,
) -> TokenPair:
    """Log in with e-mail or username: an access token, and a refresh token for the next one.

    Where a second factor is on, and no code is sent, the refusal `SECOND_FACTOR_REQUIRED` holds a
    `challenge` for `/auth/second-factor`.
    """
    return await logins.log_in(form.username, form.password, code, device)


@router.post(
    "/second-factor",
    responses=declare(InvalidChallengeError, InvalidSecondFactorError),
    dependencies=[NotCached, guessing_from_address(SECOND_FACTOR)],
    openapi_extra=PUBLIC,
)
async def verify_second_factor(body: SecondFactor, logins: Logins, device: Device = None) -> TokenPair:
    """Finish a login: the challenge that it answered, and a code of the app or a recovery code."""
    return await logins.answer(body.challenge.get_secret_value(), body.code.get_secret_value(), device)


@router.post(
    "/reauthenticate",
    status_code=204,
    responses=declare(*SIGNED_IN, WrongPasswordError, WrongCodeError),
    dependencies=[LimitOwnPassword],
)
async def reauthenticate(body: Reauthentication, actor: CurrentActor, logins: Logins) -> None:
    """Prove once more who I am: for ten minutes this session may do what needs a recent login."""
    await logins.reauthenticate(
        actor, body.password.get_secret_value(), body.code.get_secret_value() if body.code else None
    )


@router.get("/totp", response_model=TotpRead, responses=declare(*SIGNED_IN))
async def get_totp_status(actor: CurrentActor, totp: Totp) -> Any:
    """Show whether I log in with a second factor."""
    return await totp.show(actor)


@router.post(
    "/totp",
    status_code=201,
    responses=declare(*SIGNED_IN, WrongPasswordError, TotpEnabledError),
    dependencies=[NotCached, Depends(tell_location), LimitOwnPassword],
)
async def begin_totp(body: TotpBegin, actor: CurrentActor, totp: Totp) -> TotpIssued:
    """Begin to log in with a second factor: the secret for my app. It is not on until it is confirmed."""
    return await totp.begin(actor, body.password.get_secret_value())


@router.post(
    "/totp/confirm",
    responses=declare(*SIGNED_IN, TotpNotFoundError, TotpEnabledError, WrongCodeError),
    dependencies=[NotCached],
)
async def confirm_totp(body: TotpConfirmation, actor: CurrentActor, totp: Totp) -> RecoveryCodes:
    """Turn the second factor on with the first code of my app; the answer holds the recovery codes."""
    return await totp.confirm(actor, body.code.get_secret_value())


@router.post(
    "/totp/recovery-codes",
    responses=declare(*RECENTLY_SIGNED_IN, TotpNotFoundError),
    dependencies=[NotCached],
)
async def renew_recovery_codes(actor: CurrentActor, totp: Totp) -> RecoveryCodes:
    """Make new recovery codes; the old ones are good for nothing from now on. Needs a recent login."""
    return await totp.renew_recovery_codes(actor)


@router.delete("/totp", status_code=204, responses=declare(*RECENTLY_SIGNED_IN, TotpNotFoundError))
async def disable_totp(actor: CurrentActor, totp: Totp) -> None:
    """Log in without a second factor from now on. Needs a recent login."""
    await totp.disable(actor)


@administration.delete(
    "/{user_id}/totp",
    status_code=204,
    responses=declare(*RECENTLY_SIGNED_IN, PermissionDeniedError, UserNotFoundError, TotpNotFoundError),
)
async def reset_user_totp(user_id: UserId, actor: CurrentActor, totp: Totp) -> None:
    """Take the second factor off an account whose owner has lost it. For admins of the installation.

    Needs a recent login.
    """
    await totp.take_off(actor, user_id)
