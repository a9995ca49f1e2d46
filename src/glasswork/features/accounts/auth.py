"""From a bearer token to the actor; whether the session still stands is asked by each statement."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from glasswork.core.actor import Actor
from glasswork.core.telemetry.context import current_request
from glasswork.core.tokens import InvalidTokenError, read_access_token

from .errors import SessionEndedError

SIGNED_IN = (InvalidTokenError, SessionEndedError)
"""What every operation with an actor can answer."""

_bearer = OAuth2PasswordBearer(tokenUrl="/api/v1/auth/token", auto_error=False)


async def get_actor(request: Request, token: Annotated[str | None, Depends(_bearer)]) -> Actor:
    if token is None:
        raise InvalidTokenError
    actor = read_access_token(request.app.state.keys, token)
    current_request().user_id = actor.user_id
    return actor


CurrentActor = Annotated[Actor, Depends(get_actor)]
