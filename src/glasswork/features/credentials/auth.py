"""For every operation that asks who is signed in for the password."""

from collections.abc import AsyncIterator

from fastapi import Depends, Request

from glasswork.core.http.guessing import guessing
from glasswork.features.accounts.auth import CurrentActor

from .policy import OWN_PASSWORD


async def limit_own_password(request: Request, actor: CurrentActor) -> AsyncIterator[None]:
    async with guessing(request, OWN_PASSWORD, str(actor.user_id)):
        yield


LimitOwnPassword = Depends(limit_own_password, scope="function")
