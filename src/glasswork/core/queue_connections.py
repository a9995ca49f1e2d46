"""The connections that a worker has to its queue of jobs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
from pgqueuer import AsyncpgPoolDriver
from pgqueuer.ports.driver import NotifyCallback

from glasswork.core.connection_settings import SERVER_SETTINGS
from glasswork.core.db import ANSWER_SECONDS, CONNECT_SECONDS

POOL_CLOSE_SECONDS = 1


class PoolDriver(AsyncpgPoolDriver):
    """Notifies nobody before it listens itself.

    Pgqueuer checks whether it hears its own notifications, and begins with that before it listens: it would
    wait for the first one in vain, and take the connection for broken 10 s later.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self._listens = asyncio.Event()

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        await super().add_listener(channel, callback)
        self._listens.set()

    async def notify(self, channel: str, payload: str) -> None:
        await self._listens.wait()
        await super().notify(channel, payload)


@asynccontextmanager
async def open_pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool that is closed at the end, whatever was not given back to it.

    When the server dies, a connection may be lost in a moment in which nobody gives it back. The pool's own
    close would wait for it: the worker would never work again, nor stop.
    """
    pool = await asyncpg.create_pool(
        dsn,
        min_size=2,
        max_size=4,
        timeout=CONNECT_SECONDS,
        command_timeout=ANSWER_SECONDS,
        server_settings=SERVER_SETTINGS,
    )
    try:
        yield pool
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(POOL_CLOSE_SECONDS):
                await pool.close()
