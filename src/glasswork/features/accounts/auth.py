"""From a bearer token to the actor; whether it still stands is asked by each statement."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPBearer, OAuth2PasswordBearer

from glasswork.core.actor import Actor, Scope
from glasswork.core.http.callers import read_session
from glasswork.core.http.dependencies import note_actor
from glasswork.core.telemetry.context import current_request
from glasswork.core.tokens import InvalidTokenError, digest, is_api_token, read_api_token

from .errors import (
    MissingScopeError,
    ReauthenticationRequiredError,
    SessionEndedError,
    SessionRequiredError,
)

SIGNED_IN = (InvalidTokenError, SessionEndedError, SessionRequiredError)
"""What every operation for a session can answer."""
RECENTLY_SIGNED_IN = (*SIGNED_IN, ReauthenticationRequiredError)
"""What every operation for somebody who has just logged in can answer."""
AUTHORIZED = (InvalidTokenError, SessionEndedError, MissingScopeError)
"""What every operation for a session or an API token can answer."""


class _ApiTokenScheme(HTTPBearer):
    """Tells the document that an API token does too; the header is read once, as that of a session."""

    async def __call__(self, _: Request) -> None:  # type: ignore[override]
        return


_bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/token", auto_error=False, scheme_name="Session")
_api_token = _ApiTokenScheme(scheme_name="ApiToken", bearerFormat="gwk_...", description="Made for scripts.")


async def get_session_actor(request: Request, token: Annotated[str | None, Depends(_bearer)]) -> Actor:
    if token is None:
        raise InvalidTokenError
    if is_api_token(token):
        raise SessionRequiredError
    actor = read_session(request.scope, request.app.state.keys, token)
    _note(request, actor)
    return actor


def acting(scope: Scope) -> Any:
    """The dependency for an actor who comes with a session, or with an API token that has the scope."""

    async def get_actor(
        request: Request,
        token: Annotated[str | None, Depends(_bearer)],
        _: Annotated[None, Security(_api_token, scopes=[scope])],
    ) -> Actor:
        if token is None:
            raise InvalidTokenError
        return await authenticate(request, token, scope)

    return Depends(get_actor)


async def authenticate(connection: HTTPConnection, token: str, scope: Scope) -> Actor:
    """Return for whom it speaks, a session's or an API token that has the scope."""
    if not is_api_token(token):
        actor = read_session(connection.scope, connection.app.state.keys, token)
        _note(connection, actor)
        return actor
    actor = read_api_token(token, scope)
    _note(connection, actor)
    await connection.app.state.api_token_uses.note(connection.app.state.database, actor, digest(token))
    return actor


def _note(connection: HTTPConnection, actor: Actor) -> None:
    note_actor(connection, actor)
    current_request().user_id = actor.user_id


CurrentActor = Annotated[Actor, Depends(get_session_actor)]
"""Who has signed in: API tokens are refused."""
