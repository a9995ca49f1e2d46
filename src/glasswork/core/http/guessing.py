"""What an operation depends on where something can be guessed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from glasswork.core.errors import AppError
from glasswork.core.guessing import Guess, GuessLimiter, TooManyGuessesError

from .callers import client_key


@asynccontextmanager
async def guessing(request: Request, guess: Guess, account: str | None = None) -> AsyncIterator[None]:
    """Refuse with RATE_LIMITED before the body runs, and look at how the body ends.

    It is for a dependency with `yield` and the scope "function" that is named in `dependencies=`: so it
    begins before the request's transaction does, and ends after that is committed.
    """
    state = request.app.state
    if not state.settings.rate_limit_enabled:
        yield
        return
    limiter = GuessLimiter(state.database, state.keys)
    try:
        attempt = await limiter.count(guess, client_key(request.scope), account)
    except TooManyGuessesError as refusal:
        for whose in refusal.whose:
            state.signals.metrics.guesses_refused.labels(whose).inc()
        raise
    try:
        yield
    except (AppError, RequestValidationError) as refusal:
        if not isinstance(refusal, guess.wrong):
            await limiter.give_back(attempt, was_right=False)
        raise
    if not guess.is_spent:
        await limiter.give_back(attempt, was_right=True)


def guessing_from_address(guess: Guess) -> Any:
    """The dependency where nothing but the caller's address tells who guesses."""

    async def limit(request: Request) -> AsyncIterator[None]:
        async with guessing(request, guess):
            yield

    return Depends(limit, scope="function")
