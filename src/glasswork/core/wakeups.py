"""Word from process to process that something has happened in a workspace; what, the event log alone tells.

It is sent after the commit, for all writers of a process together: NOTIFY in their own transactions would
make all commits of the server wait for each other. Word can be lost, so whoever follows a workspace looks by
itself now and then, and behind a proxy that shares connections, where LISTEN hears nothing, that remains.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import asyncpg
import structlog

from glasswork.core.database_urls import place_of
from glasswork.core.tasks import end

CHANNEL = "glasswork_changes"
CONNECT_SECONDS = 2
RECONNECT_SECONDS = 0.5
ALIVE_SECONDS = 10
"""So often a connection on which nothing is said is asked whether it stands."""

_TELL = "SELECT pg_notify($1, workspace) FROM unnest($2::text[]) AS workspace"

log = structlog.get_logger()


class Wakeups:
    """One connection, which listens and tells; it comes back by itself."""

    def __init__(self, url: str, hear: Callable[[UUID], None] | None = None) -> None:
        """Without `hear` it only tells."""
        self._place = place_of(url)
        self._hear = hear
        self._untold: set[UUID] = set()
        self._woken = asyncio.Event()
        self._is_lost = False
        self._pid: int | None = None
        """The server's for our connection; a last word may be heard when that is closed already."""

    def tell(self, workspace_ids: Collection[UUID]) -> None:
        """Here at once, and elsewhere as soon as may be; it waits for nothing."""
        if self._hear is not None:
            for workspace_id in workspace_ids:
                self._hear(workspace_id)
        self._untold.update(workspace_ids)
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._keep_talking())
        try:
            yield
        finally:
            await end(task)

    async def _keep_talking(self) -> None:
        while True:
            try:
                await self._talk()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not self._is_lost:
                    log.warning("wakeups.lost", error_type=type(error).__qualname__)
                self._is_lost = True
            self._untold.clear()  # who follows has looked by itself meanwhile
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _talk(self) -> None:
        connection = await asyncpg.connect(
            **self._place,
            timeout=CONNECT_SECONDS,
            command_timeout=CONNECT_SECONDS,
            server_settings={"application_name": "glasswork wakeups"},
        )
        self._pid = connection.get_server_pid()
        try:
            connection.add_termination_listener(lambda _: self._woken.set())
            if self._hear is not None:
                await connection.add_listener(CHANNEL, self._on_word)
            self._is_lost = False
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(ALIVE_SECONDS):
                        await self._woken.wait()
                self._woken.clear()
                untold, self._untold = self._untold, set()
                await connection.execute(_TELL, CHANNEL, [str(each) for each in untold])
        finally:
            connection.terminate()

    def _on_word(self, _connection: object, pid: int, _channel: str, payload: object) -> None:
        if self._hear is not None and pid != self._pid:
            with suppress(ValueError):
                self._hear(UUID(str(payload)))
