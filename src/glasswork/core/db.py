"""The way to the database: connections, transactions, and what its refusals mean."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import ExceptionContext, Row, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from glasswork.core.errors import (
    AppError,
    ConflictError,
    OutcomeUnknownError,
    ServiceUnavailableError,
    TransientError,
    ValidationError,
)
from glasswork.core.outbox import NO_SUBSCRIBERS, SUBSCRIBERS, Subscribers, store_outbox
from glasswork.core.settings import Settings
from glasswork.core.telemetry.signals import Signals

AnyRow = Row[*tuple[Any, ...]]
"""What a read returns: its columns are attributes, by name."""

POOL_WAIT_SECONDS = 1.75
CONNECT_SECONDS = 2
LOCK_SECONDS = 2.5
"""A try; `RetryMiddleware` makes three, since a lock that is waited for is no sign of silence."""
STATEMENT_SECONDS = 3
ANSWER_SECONDS = 3.5
"""Longer than a statement may take: who is silent for so long is not there.

A database that falls silent is told within these, or within the wait for the pool and for a new connection:
3.75 s at most.
"""

SERVER_SETTINGS = {
    "application_name": "glasswork",
    "timezone": "UTC",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}ms",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "1s",
}
"""Of every connection of the API and of the worker."""

_unavailable = partial(ServiceUnavailableError, "The database does not answer.")
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


class Database:
    def __init__(
        self,
        engine: AsyncEngine,
        subscribers: Subscribers = NO_SUBSCRIBERS,
        signals: Signals | None = None,
    ) -> None:
        self.engine = engine
        self._signals = signals
        self._info = {SUBSCRIBERS: subscribers}
        # Repositories flush by themselves: a query between two changes must not make two UPDATEs of them.
        self._writes = async_sessionmaker(engine, expire_on_commit=False, autoflush=False, info=self._info)
        self._reads = async_sessionmaker(
            engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Commit at the end, or roll back: all of a use case is stored, or nothing."""
        with _translated():
            async with self._writes() as session:
                try:
                    yield session
                except AppError as refusal:
                    if refusal.keeps_changes:
                        await self._commit(session)
                    raise
                await self._commit(session)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Each statement for itself: a single read costs one round trip, without BEGIN and ROLLBACK."""
        with _translated():
            async with self._reads() as session:
                yield session

    async def _commit(self, session: AsyncSession) -> None:
        await session.flush()
        if self._signals is None:
            await store_outbox(session)
            with _outcome_told():
                await session.commit()
            return
        types = await store_outbox(session, self._signals.tracer)
        with self._signals.database.commit(), _outcome_told():
            await session.commit()
        for type_ in types:
            self._signals.metrics.events.labels(type_).inc()


@asynccontextmanager
async def open_database(
    settings: Settings, subscribers: Subscribers, signals: Signals | None = None
) -> AsyncIterator[Database]:
    engine = create_engine(settings.database_url.get_secret_value(), settings.database_pool_size, signals)
    try:
        yield Database(engine, subscribers, signals)
    finally:
        await engine.dispose()


def create_engine(url: str, pool_size: int, signals: Signals | None = None) -> AsyncEngine:
    engine = create_async_engine(
        url,
        poolclass=signals.database.pool_class() if signals else None,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": ANSWER_SECONDS,
            "server_settings": SERVER_SETTINGS,
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed_connection)
    event.listen(engine.sync_engine, "handle_error", _drop_silent_connection)
    if signals:
        signals.database.observe(engine.sync_engine, pool_size)
    return engine


def violated_constraint(error: IntegrityError) -> str | None:
    return getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)


def _refuse_closed_connection(connection: Any, _record: object, _proxy: object) -> None:
    """Let the pool take another connection when the server closed this one: a ping without a trip."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _drop_silent_connection(context: ExceptionContext) -> None:
    """Who does not answer a statement would not answer ROLLBACK, nor a polite end of the connection."""
    connection = context.connection
    if isinstance(context.original_exception, TimeoutError) and connection is not None:
        driver_connection: Any = connection.connection.driver_connection
        driver_connection.terminate()
        context.is_disconnect = True  # of the pool's other connections, too


@contextmanager
def _outcome_told() -> Iterator[None]:
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


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, asyncpg.PostgresError) as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        raise refusal from error
    except (PoolTimeoutError, TimeoutError, OSError) as error:
        raise _unavailable() from error


def _refusal(error: DBAPIError | asyncpg.PostgresError) -> AppError | None:
    """None: a bug of ours."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return TransientError("connection")
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(driver_error, "sqlstate", None) or ""
    refuse = _REFUSALS.get(state) or _REFUSALS.get(state[:2])
    return refuse() if refuse else None
