from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import Session
from glasswork.core.http.errors import declare
from glasswork.core.http.guessing import guessing, guessing_from_address
from glasswork.core.http.rate_limits import rated
from glasswork.features.accounts.auth import SIGNED_IN, CurrentActor
from glasswork.features.accounts.errors import EmailTakenError
from glasswork.features.accounts.policy import PasswordRules

from .auth import LimitOwnPassword
from .errors import InvalidOneTimeTokenError, WrongPasswordError
from .policy import ONE_TIME_TOKEN, RESET_LETTER
from .schemas import EmailChange, EmailVerification, PasswordChange, PasswordForgotten, PasswordReset
from .service import AddressService, PasswordService, VerificationService

router = APIRouter(prefix="/auth", tags=["auth"])


async def get_verification(request: Request, session: Session) -> VerificationService:
    return VerificationService(session, request.app.state.keys)


async def get_passwords(request: Request, session: Session) -> PasswordService:
    rules = PasswordRules.of(request.app.state.settings)
    return PasswordService(session, request.app.state.keys, rules)


async def get_addresses(request: Request, session: Session) -> AddressService:
    return AddressService(session, request.app.state.keys)


async def limit_reset_letters(request: Request, body: PasswordForgotten) -> AsyncIterator[None]:
    async with guessing(request, RESET_LETTER, body.email):
        yield


LimitTokens = guessing_from_address(ONE_TIME_TOKEN)

Verification = Annotated[VerificationService, Depends(get_verification)]
Passwords = Annotated[PasswordService, Depends(get_passwords)]
Addresses = Annotated[AddressService, Depends(get_addresses)]


@router.post(
    "/verify-email",
    status_code=204,
    responses=declare(InvalidOneTimeTokenError),
    dependencies=[LimitTokens],
    openapi_extra=PUBLIC,
)
async def verify_email(body: EmailVerification, verification: Verification) -> None:
    """Confirm my e-mail address with the token that was sent there."""
    await verification.verify(body.token.get_secret_value())


@router.post(
    "/change-password",
    status_code=204,
    responses=declare(*SIGNED_IN, WrongPasswordError),
    dependencies=[LimitOwnPassword],
)
async def change_password(body: PasswordChange, actor: CurrentActor, passwords: Passwords) -> None:
    """Set another password; all my other sessions end."""
    await passwords.change(actor, body.password.get_secret_value(), body.new_password.get_secret_value())


@router.post(
    "/forgot-password",
    status_code=204,
    dependencies=[Depends(limit_reset_letters, scope="function")],
    openapi_extra=PUBLIC | rated("20/minute"),
)
async def request_password_reset(body: PasswordForgotten, passwords: Passwords) -> None:
    """Have a token sent to this address, if it is that of an account; it is good for 30 minutes."""
    await passwords.forget(body.email)


@router.post(
    "/reset-password",
    status_code=204,
    responses=declare(InvalidOneTimeTokenError),
    dependencies=[LimitTokens],
    openapi_extra=PUBLIC,
)
async def reset_password(body: PasswordReset, passwords: Passwords) -> None:
    """Set a password with the token that was sent; all sessions end."""
    await passwords.reset(body.token.get_secret_value(), body.new_password.get_secret_value())


@router.post(
    "/change-email",
    status_code=204,
    responses=declare(*SIGNED_IN, WrongPasswordError),
    dependencies=[LimitOwnPassword],
)
async def change_email(body: EmailChange, actor: CurrentActor, addresses: Addresses) -> None:
    """Ask for another e-mail address; a token is sent there, and the old one stays until it comes back."""
    await addresses.request(actor, body.email, body.password.get_secret_value())


@router.post(
    "/confirm-email",
    status_code=204,
    responses=declare(InvalidOneTimeTokenError, EmailTakenError),
    dependencies=[LimitTokens],
    openapi_extra=PUBLIC,
)
async def confirm_email(body: EmailVerification, addresses: Addresses) -> None:
    """Confirm my new e-mail address with the token that was sent there."""
    await addresses.confirm(body.token.get_secret_value())
