from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Cookie, Depends, Query, Request, Response

from glasswork.core.http.access import PUBLIC
from glasswork.core.http.dependencies import Device, NotCached, Session, Transaction
from glasswork.core.http.errors import declare
from glasswork.core.http.resources import API_PREFIX
from glasswork.core.oidc import OidcLoginFailedError, OidcProviderError
from glasswork.core.paging import Page, PageRead
from glasswork.core.schemas import IdentityId
from glasswork.features.accounts.auth import SIGNED_IN, CurrentActor
from glasswork.features.accounts.errors import EmailTakenError, RegistrationClosedError, UsernameTakenError
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.accounts.schemas import TokenPair
from glasswork.features.second_factors.errors import SecondFactorRequiredError

from .errors import (
    AccountDisabledError,
    AgeUnknownError,
    EmailNotVerifiedError,
    IdentityNotFoundError,
    IdentityTakenError,
    LastWayInError,
    LinkRequiredError,
    OidcProviderNotFoundError,
)
from .policy import Admission
from .schemas import AuthorizationRead, IdentityQuery, IdentityRead, ProviderName, ProviderRead, Returned
from .service import ATTEMPT_LIFETIME, Departure, IdentityService, OidcLoginService, OidcService

router = APIRouter(prefix="/auth", tags=["auth"])

COOKIE = "glasswork_oidc"
REDIRECTED: dict[int | str, dict[str, Any]] = {
    302: {
        "description": "To the provider, with a cookie for the way back.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}
UNREACHED = (OidcProviderNotFoundError, OidcProviderError)
NOT_LET_IN = (
    *(OidcLoginFailedError, SecondFactorRequiredError, AccountDisabledError),
    *(EmailNotVerifiedError, AgeUnknownError),
    *(RegistrationClosedError, LinkRequiredError, IdentityTakenError, EmailTakenError, UsernameTakenError),
)


async def get_oidc(request: Request) -> OidcService:
    state = request.app.state
    return OidcService(state.oidc, state.keys, state.settings.public_url + API_PREFIX)


Oidc = Annotated[OidcService, Depends(get_oidc)]


async def get_logins(request: Request, session: Transaction, oidc: Oidc) -> OidcLoginService:
    settings = request.app.state.settings
    rules, admission = PasswordRules.of(settings), Admission.of(settings)
    return OidcLoginService(session, request.app.state.keys, oidc, rules, admission)


async def get_identities(session: Session) -> IdentityService:
    return IdentityService(session)


def keep_attempt(response: Response, departure: Departure) -> AuthorizationRead:
    """Let the browser keep it, for nobody but the callback; Lax, for it comes back from another site."""
    callback_url = urlsplit(departure.callback_url)
    response.set_cookie(
        COOKIE,
        departure.sealed,
        max_age=int(ATTEMPT_LIFETIME.total_seconds()),
        path=callback_url.path,
        secure=callback_url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return AuthorizationRead(authorization_url=departure.url)


def sent_away(departure: Departure) -> Response:
    response = Response(status_code=302, headers={"Location": departure.url, "Cache-Control": "no-store"})
    keep_attempt(response, departure)
    return response


async def forget_attempt(provider: ProviderName, oidc: Oidc, response: Response) -> None:
    response.delete_cookie(COOKIE, path=urlsplit(oidc.callback_url(provider)).path)


Logins = Annotated[OidcLoginService, Depends(get_logins)]
Identities = Annotated[IdentityService, Depends(get_identities)]
Sealed = Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)]


@router.get("/oidc", response_model=PageRead[ProviderRead], openapi_extra=PUBLIC)
async def list_oidc_providers(oidc: Oidc) -> Page[ProviderRead]:
    """List with whose identities one can log in."""
    return oidc.page()


@router.get(
    "/oidc/{provider}",
    status_code=302,
    response_class=Response,
    responses=REDIRECTED | declare(*UNREACHED),
    openapi_extra=PUBLIC,
)
async def begin_oidc(provider: ProviderName, oidc: Oidc) -> Response:
    """Log in with an identity of this provider: the browser is sent there, and has 10 minutes."""
    return sent_away(await oidc.depart(provider, None))


@router.get(
    "/oidc/{provider}/callback",
    responses=declare(*UNREACHED, *NOT_LET_IN),
    dependencies=[NotCached, Depends(forget_attempt)],
    openapi_extra=PUBLIC,
)
async def finish_oidc(
    provider: ProviderName,
    returned: Annotated[Returned, Query()],
    logins: Logins,
    sealed: Sealed = None,
    user_agent: Device = None,
) -> TokenPair | IdentityRead:
    """Where the provider sends the browser back to: a pair of tokens, or the identity that was linked."""
    return await logins.finish(provider, returned, sealed, user_agent)


@router.post(
    "/oidc/{provider}/link",
    responses=declare(*SIGNED_IN, *UNREACHED),
    dependencies=[NotCached],
)
async def link_identity(
    provider: ProviderName, actor: CurrentActor, logins: Logins, response: Response
) -> AuthorizationRead:
    """Link an identity of this provider to my account: go to this address with this cookie."""
    return keep_attempt(response, await logins.start_link(actor, provider))


@router.get("/identities", response_model=PageRead[IdentityRead], responses=declare(*SIGNED_IN))
async def list_identities(
    query: Annotated[IdentityQuery, Query()], actor: CurrentActor, identities: Identities
) -> Page[Any]:
    """List the identities with which I can log in."""
    return await identities.page(actor, query)


@router.delete(
    "/identities/{identity_id}",
    status_code=204,
    responses=declare(*SIGNED_IN, IdentityNotFoundError, LastWayInError),
)
async def delete_identity(identity_id: IdentityId, actor: CurrentActor, identities: Identities) -> None:
    """Log in with this identity no more."""
    await identities.delete(actor, identity_id)
