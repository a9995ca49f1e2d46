"""The way to the database: connections and transactions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from functools import cached_property
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import URL, ExceptionContext, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from glasswork.core.actor import Actor
from glasswork.core.connection_settings import (
    SERVER_SETTINGS,
    PooledReadConnection,
    ShortSession,
    pooled_engine_options,
    pooled_options,
)
from glasswork.core.database_errors import LOST, NO_ANSWER, outcome_told, refusal_of
from glasswork.core.errors import AppError, ServiceUnavailableError, TransientError
from glasswork.core.outbox import NO_SUBSCRIBERS, SUBSCRIBERS, Subscribers, store_outbox
from glasswork.core.read_connections import ReadConnections, connecting
from glasswork.core.row_security import (
    NOBODY,
    SETTINGS,
    SYSTEM,
    TellingConnection,
    is_refused_by_policy,
    settings_of,
)
from glasswork.core.settings import Settings
from glasswork.core.statements import READS, SIGNALS
from glasswork.core.telemetry.signals import Signals

log = structlog.get_logger()

POOL_WAIT_SECONDS = 1.75
CONNECT_SECONDS = 2
ANSWER_SECONDS = 3.5
"""Longer than a statement may take: who is silent for so long is not there.

A database that falls silent is told within these, or within the wait for the pool and for a new connection:
3.75 s at most.
"""

PATIENT_SECONDS = 300
"""How long a transaction may be idle that moves more than one statement can: others end after 10 s."""

BE_PATIENT = text(f"SET LOCAL idle_in_transaction_session_timeout = '{PATIENT_SECONDS}s'")
"""To the end of the transaction."""

AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}


class Database:
    def __init__(
        self,
        engine: AsyncEngine,
        subscribers: Subscribers = NO_SUBSCRIBERS,
        signals: Signals | None = None,
        tell: Callable[[Collection[UUID]], None] = lambda _: None,
        reads: ReadConnections | None = None,
        direct_url: URL | None = None,
    ) -> None:
        """`tell` is called after each commit with the workspaces in which something has happened.

        `direct_url` is that of the database itself where the engine goes through a pooler.
        """
        self.engine = engine
        self.direct_url = direct_url or engine.url
        """For whoever needs a session of their own, as LISTEN does."""
        self._signals = signals
        self._tell = tell
        self._info = {SUBSCRIBERS: subscribers, SIGNALS: signals.database if signals else None}
        # Repositories flush by themselves: a query between two changes must not make two UPDATEs of them.
        self._writes = async_sessionmaker(engine, expire_on_commit=False, autoflush=False, info=self._info)
        self._read_info = {} if reads is None else {READS: reads}
        is_pooled = direct_url is not None
        self._reads = async_sessionmaker(
            engine.execution_options(**({"postgresql_readonly": True} if is_pooled else AUTOCOMMIT)),
            sync_session_class=ShortSession if is_pooled else Session,
            expire_on_commit=False,
            info=self._read_info,
        )
        self._snapshots = async_sessionmaker(
            engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
            expire_on_commit=False,
        )

    def transaction(self, actor: Actor | None = None) -> AbstractAsyncContextManager[AsyncSession]:
        """Commit at the end, or roll back: all of a use case is stored, or nothing.

        It can write in the actor's workspaces alone; without an actor, in none.
        """
        return self._transaction(settings_of(actor))

    def system_transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        """One that can write in every workspace: its conditions alone decide."""
        return self._transaction(SYSTEM)

    @asynccontextmanager
    async def _transaction(self, settings: str) -> AsyncIterator[AsyncSession]:
        session = self._writes(info={SETTINGS: settings})
        with self._translated():
            try:
                yield session
            except AppError as refusal:
                if refusal.keeps_changes:
                    await self._commit(session)
                raise
            else:
                await self._commit(session)
            finally:
                if session.in_transaction():  # else the commit has given the connection back
                    await asyncio.shield(session.close())

    def reading(self) -> "_Reading":
        """Each statement for itself: a single read costs one round trip, without BEGIN and ROLLBACK.

        Behind a pooler each has a transaction, for there limits of time are a transaction's.
        """
        return _Reading(self._reads, MappingProxyType(self._read_info), self._translated)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncSession]:
        """All statements see one moment, that of the first; for what reads more than one statement can."""
        with self._translated():
            async with self._snapshots() as session:
                await session.execute(BE_PATIENT)
                yield session

    async def _commit(self, session: AsyncSession) -> None:
        if session.new or session.dirty or session.deleted:
            await session.flush()
        if self._signals is None:
            events = await store_outbox(session)
            with outcome_told():
                await session.commit()
        else:
            events = await store_outbox(session, self._signals.tracer)
            with self._signals.database.commit(), outcome_told():
                await session.commit()
            for event_ in events:
                self._signals.metrics.events.labels(event_.type).inc()
        if changed := {event_.workspace_id for event_ in events if event_.workspace_id is not None}:
            self._tell(changed)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, asyncpg.PostgresError) as error:
            if is_refused_by_policy(error):
                self._tell_of_policy(error)
            refusal = refusal_of(error)
            if refusal is None:
                raise
            raise refusal from error
        except LOST as error:
            raise TransientError("connection") from error
        except (PoolTimeoutError, TimeoutError, OSError) as error:
            raise ServiceUnavailableError(NO_ANSWER) from error

    def _tell_of_policy(self, error: Exception) -> None:
        """The statement should have seen to it: its own condition has a hole."""
        log.error("row_security.refused", exc_info=error)
        if self._signals is not None:
            self._signals.metrics.row_security_refusals.inc()


class _LateSession:
    """A session that is made when it is asked for more than its `info`, as no `Read` does."""

    def __init__(self, make: Callable[[], AsyncSession], info: Mapping[str, Any]) -> None:
        self._make = make
        self.info = info

    @cached_property
    def made(self) -> AsyncSession:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made, name)


class _Reading:
    __slots__ = ("_session", "_translated")

    def __init__(
        self,
        make: Callable[[], AsyncSession],
        info: Mapping[str, Any],
        translated: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._session = _LateSession(make, info)
        self._translated = translated

    async def __aenter__(self) -> AsyncSession:
        return cast("AsyncSession", self._session)

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        if "made" in vars(self._session):
            await self._session.made.close()
        if error is not None:
            with self._translated():
                raise error


@asynccontextmanager
async def open_database(
    settings: Settings,
    subscribers: Subscribers,
    signals: Signals | None = None,
    tell: Callable[[Collection[UUID]], None] = lambda _: None,
) -> AsyncIterator[Database]:
    direct_url, pooler_url = settings.database_url, settings.database_pooler_url
    url, is_pooled = (pooler_url or direct_url).get_secret_value(), pooler_url is not None
    pool_size = settings.database_pool_size
    engine = create_engine(url, pool_size, signals, is_pooled=is_pooled)
    own = {"connection_class": PooledReadConnection, **pooled_options()} if is_pooled else {}
    reads = ReadConnections(
        connecting(url, **(_connect_options() | own)),
        (pool_size + 1) // 2,  # it has one for a millisecond, where a transaction has it for ten
        POOL_WAIT_SECONDS,
        signals.database if signals else None,
    )
    try:
        direct = make_url(direct_url.get_secret_value()) if is_pooled else None
        yield Database(engine, subscribers, signals, tell, reads, direct)
    finally:
        await reads.aclose()
        await engine.dispose()


def create_engine(
    url: str, pool_size: int, signals: Signals | None = None, *, is_pooled: bool = False
) -> AsyncEngine:
    own = pooled_engine_options() if is_pooled else {"connection_class": TellingConnection}
    engine = create_async_engine(
        url,
        poolclass=signals.database.pool_class() if signals else None,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        hide_parameters=True,
        connect_args=_connect_options() | own,
    )
    event.listen(engine.sync_engine, "checkout", _prepare)
    event.listen(engine.sync_engine, "handle_error", _drop_silent_connection)
    if signals:
        signals.database.observe(engine.sync_engine, pool_size)
    return engine


def _connect_options() -> dict[str, Any]:
    return {
        "timeout": CONNECT_SECONDS,
        "command_timeout": ANSWER_SECONDS,
        "server_settings": SERVER_SETTINGS,
    }


def violated_constraint(error: IntegrityError) -> str | None:
    return getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)


def _prepare(connection: Any, _record: object, _proxy: object) -> None:
    """Take another connection when the server closed this one: a ping without a trip."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
    connection.driver_connection.next_settings = NOBODY  # of who had it, and may never have begun


def _drop_silent_connection(context: ExceptionContext) -> None:
    """Who does not answer a statement would not answer ROLLBACK, nor a polite end of the connection."""
    connection = context.connection
    if isinstance(context.original_exception, TimeoutError) and connection is not None:
        driver_connection: Any = connection.connection.driver_connection
        driver_connection.terminate()
        context.is_disconnect = True  # of the pool's other connections, too
