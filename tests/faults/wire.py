"""The way from a process to its database, on which it can be killed at a commit."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import make_url
from sqlalchemy.engine import URL

from tests.tcp_proxy import is_commit

TRAP_SECONDS = 1


@dataclass(eq=False)
class _Trap:
    kill: Callable[[], None]
    commits: int
    """Until it is sprung."""
    lets_pass: bool
    is_sprung: asyncio.Event = field(default_factory=asyncio.Event)


class Wire:
    """Passes on what a process and PostgreSQL tell each other."""

    def __init__(self, url: str) -> None:
        self._database = make_url(url)
        self._trap: _Trap | None = None

    def url(self, port: int) -> str:
        """The database's, by way of a port of ours."""
        url = self._database.difference_update_query(["host", "port"]).set(host="127.0.0.1", port=port)
        return url.render_as_string(hide_password=False)

    async def trap(self, kill: Callable[[], None], commits: int, *, lets_pass: bool) -> None:
        """Kill at the COMMIT that follows so many: it is lost, or it is stored and the news of it is lost.

        Give up when it does not come for a second, as on a wire that is encrypted.
        """
        self._trap = _Trap(kill, commits, lets_pass)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._trap.is_sprung.wait(), TRAP_SECONDS)
        self._trap = None

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await _open(self._database)
        passing = {
            asyncio.create_task(self._pass(reader, server_writer, is_question=True)),
            asyncio.create_task(self._pass(server_reader, writer, is_question=False)),
        }
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in passing:
                task.cancel()
            for end in (writer, server_writer):
                end.close()
                with suppress(ConnectionError):
                    await end.wait_closed()

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_question: bool
    ) -> None:
        with suppress(ConnectionError):  # of a process that was killed
            while data := await source.read(65536):
                trap = self._sprung_by(data) if is_question else None
                if trap is None or trap.lets_pass:
                    target.write(data)
                    await target.drain()
                if trap:
                    trap.kill()
                    trap.is_sprung.set()
                    return

    def _sprung_by(self, data: bytes) -> _Trap | None:
        trap = self._trap
        if trap is None or not is_commit(data):
            return None
        trap.commits -= 1
        return trap if trap.commits < 0 else None


async def _open(url: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = (url.query.get(name) or given for name, given in (("host", url.host), ("port", url.port)))
    if str(host).startswith("/"):
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port or 5432}")
    return await asyncio.open_connection(str(host or "127.0.0.1"), int(str(port or 5432)))


@asynccontextmanager
async def open_wire(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """Yield also the URL by which it is used."""
    wire = Wire(url)
    async with await asyncio.start_server(wire.connect, "127.0.0.1", 0) as server:
        yield wire, wire.url(server.sockets[0].getsockname()[1])
