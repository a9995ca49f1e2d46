"""Connections for single reads, each of which has one for as long as the database takes to answer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from time import perf_counter
from typing import Any

import asyncpg
import msgspec

from glasswork.core.database_errors import LOST, NO_ANSWER, refusal_of
from glasswork.core.database_urls import place_of
from glasswork.core.errors import ServiceUnavailableError, TransientError
from glasswork.core.telemetry.database import DatabaseSignals, Summary, observing

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class ReadConnections:
    """At most `size`; who waits for one is served in turn, and the last one used is the next.

    SQLAlchemy's pool would cost a read more than its statement does, and a driver's pool resets a connection
    that nothing was set on: another trip.
    """

    def __init__(
        self, connect: Connect, size: int, wait_seconds: float, signals: DatabaseSignals | None = None
    ) -> None:
        self._connect = connect
        self._free = size
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: list[asyncpg.Connection] = []
        self._wait_seconds = wait_seconds
        self._signals = signals

    async def fetch(self, sql: str, summary: Summary, arguments: Sequence[Any]) -> Sequence[Any]:
        """Run one statement outside of a transaction."""
        connection, began = await self._take(), perf_counter()
        try:
            with observing(self._signals, summary, sql):
                return await connection.fetch(sql, *arguments)
        except asyncpg.PostgresError as error:
            refusal = refusal_of(error)
            if isinstance(refusal, TransientError) and refusal.reason == "connection":
                self._drop_idle()  # the server has ended it, and may have ended them
                connection.terminate()
            if refusal is None:
                raise
            raise refusal from error
        except (*LOST, ConnectionError) as error:
            self._drop_idle()
            connection.terminate()
            raise TransientError("connection") from error
        except (TimeoutError, OSError) as error:
            connection.terminate()
            raise ServiceUnavailableError(NO_ANSWER) from error
        except BaseException:
            connection.terminate()  # its answer is still to come
            raise
        finally:
            self._give_back(connection, perf_counter() - began)

    @property
    def are_taken(self) -> bool:
        return not self._free

    async def aclose(self) -> None:
        self._drop_idle()

    async def _take(self) -> asyncpg.Connection:
        if self._free:
            self._free -= 1
        else:
            await self._wait()
        try:
            connection = self._find_idle() or await self._open()
        except BaseException:
            self._pass_on()
            raise
        if self._signals is not None:
            self._signals.taken()
        return connection

    async def _wait(self) -> None:
        """Until somebody passes on their right to one."""
        loop = asyncio.get_running_loop()
        right: asyncio.Future[None] = loop.create_future()
        self._waiting.append(right)
        timer = loop.call_later(self._wait_seconds, _give_up, right)
        try:
            with self._signals.waiting() if self._signals else nullcontext():
                await right
        except TimeoutError as error:
            raise ServiceUnavailableError(NO_ANSWER) from error
        except asyncio.CancelledError:
            if right.done() and not right.cancelled() and right.exception() is None:
                self._pass_on()
            raise
        finally:
            timer.cancel()

    def _pass_on(self) -> None:
        while self._waiting:
            right = self._waiting.popleft()
            if not right.done():
                right.set_result(None)
                return
        self._free += 1

    def _find_idle(self) -> asyncpg.Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._forget()
        return None

    async def _open(self) -> asyncpg.Connection:
        try:
            connection = await self._connect()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise ServiceUnavailableError(NO_ANSWER) from error
        if self._signals is not None:
            self._signals.connected()
        return connection

    def _give_back(self, connection: asyncpg.Connection, seconds: float) -> None:
        if self._signals is not None:
            self._signals.given_back(seconds)
        if connection.is_closed():
            self._forget()
        else:
            self._idle.append(connection)
        self._pass_on()

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().terminate()
            self._forget()

    def _forget(self) -> None:
        if self._signals is not None:
            self._signals.closed()


def _give_up(right: asyncio.Future[None]) -> None:
    if not right.done():
        right.set_exception(TimeoutError())


def connecting(url: str, **options: Any) -> Connect:
    """Return what makes a connection to the database of an URL as SQLAlchemy takes it."""
    place = place_of(url)

    async def connect() -> asyncpg.Connection:
        connection: asyncpg.Connection = await asyncpg.connect(**place, **options)
        try:
            for type_ in ("json", "jsonb"):
                await connection.set_type_codec(
                    type_, schema="pg_catalog", encoder=str, decoder=msgspec.json.decode
                )
        except BaseException:
            connection.terminate()
            raise
        return connection

    return connect
