"""What the database's refusals mean to the caller, by SQLSTATE."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import asyncpg
from sqlalchemy.exc import DBAPIError

from glasswork.core.errors import (
    AppError,
    ConflictError,
    NotFoundError,
    OutcomeUnknownError,
    ServiceUnavailableError,
    TransientError,
    ValidationError,
)
from glasswork.core.row_security import is_refused_by_policy

NO_ANSWER = "The database does not answer."
LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver raises on a connection that the server has ended, before it knows or when it does."""

_unavailable = partial(ServiceUnavailableError, NO_ANSWER)
_too_slow = partial(ServiceUnavailableError, "The database took too long.")
_lost = partial(TransientError, "connection")
_invalid = partial(ValidationError, "The request holds a value that cannot be stored.")
_clash = partial(ConflictError, "The request clashes with what is stored.")

_REFUSALS: Mapping[str, Callable[[], AppError]] = {
    "08": _lost,
    "22": _invalid,
    "23503": _clash,
    "23505": _clash,
    "23P01": _clash,
    "40": _unavailable,
    "40001": partial(TransientError, "serialization"),
    "40P01": partial(TransientError, "deadlock"),
    "53": _unavailable,
    "54": _invalid,
    "55P03": partial(TransientError, "lock"),
    "57": _unavailable,
    "57014": _too_slow,
    "57P01": _lost,
    "57P02": _lost,
}
"""What an SQLSTATE, or else its class, means to the caller."""


def refusal_of(error: DBAPIError | asyncpg.PostgresError) -> AppError | None:
    """None: a bug of ours."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return TransientError("connection")
    if is_refused_by_policy(error):
        return NotFoundError("There is no such thing here.")
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(driver_error, "sqlstate", None) or ""
    refuse = _REFUSALS.get(state) or _REFUSALS.get(state[:2])
    return refuse() if refuse else None


@contextmanager
def outcome_told() -> Iterator[None]:
    """Around a COMMIT: when its answer is lost, nobody but the server knows whether it is done."""
    try:
        yield
    except (DBAPIError, TimeoutError, OSError) as error:
        driver_error = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(driver_error, "sqlstate", None) or ""
        is_refused = bool(state) and not state.startswith(("08", "57P"))
        is_unsent = isinstance(getattr(driver_error, "__cause__", None), asyncpg.InterfaceError)
        if is_refused or is_unsent:
            raise
        raise OutcomeUnknownError from error
