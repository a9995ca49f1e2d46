"""What an operation depends on where something can be guessed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from glasswork.core.errors import AppError, ServiceUnavailableError, TransientError
from glasswork.core.guessing import Attempt, Guess, GuessLimiter, TooManyGuessesError

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
        if not isinstance(refusal, guess.wrong) and not _is_silence(refusal):
            await _give_back(limiter, attempt, was_right=False)
        raise
    if not guess.is_spent:
        await _give_back(limiter, attempt, was_right=True)


async def _give_back(limiter: GuessLimiter, attempt: Attempt, *, was_right: bool) -> None:
    """Where that cannot be, keep the outcome, which is stored: then the attempt counts for a while."""
    with suppress(ServiceUnavailableError):
        await limiter.give_back(attempt, was_right=was_right)


def _is_silence(refusal: Exception) -> bool:
    """Who has waited for a database in vain waits for it no second time; who begins anew counts anew."""
    return isinstance(refusal, ServiceUnavailableError) and not isinstance(refusal, TransientError)


def guessing_from_address(guess: Guess) -> Any:
    """The dependency where nothing but the caller's address tells who guesses."""

    async def limit(request: Request) -> AsyncIterator[None]:
        async with guessing(request, guess):
            yield

    return Depends(limit, scope="function")
