"""Round trips on the wire: a proxy before PostgreSQL that counts what a client waits for.

Each Sync and each simple Query is answered by a ReadyForQuery, for which the client waits: a round trip.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.engine import URL

WAITED_FOR = b"SQ"
SSL_REQUEST = 80_877_103
CHUNK = 65_536


class Messages:
    """Follows one client's stream of messages, however it is cut into pieces."""

    def __init__(self) -> None:
        self.trips = 0
        self._rest = b""
        self._has_begun = False

    def feed(self, data: bytes) -> None:
        self._rest += data
        while (size := self._size()) and len(self._rest) >= size:
            message, self._rest = self._rest[:size], self._rest[size:]
            if self._has_begun:
                self.trips += message[0] in WAITED_FOR
            else:  # the first message has no type; a wish for TLS goes ahead of it
                self._has_begun = int.from_bytes(message[4:8]) != SSL_REQUEST

    def _size(self) -> int:
        """Of the next message, in bytes; 0: not known yet."""
        head = 1 if self._has_begun else 0
        length = self._rest[head : head + 4]
        return head + int.from_bytes(length) if len(length) == len("size") else 0


class Wire:
    def __init__(self, server: URL) -> None:
        self._server = server
        self._clients: list[Messages] = []
        self.port = 0

    @property
    def trips(self) -> int:
        """So far, of all clients."""
        return sum(client.trips for client in self._clients)

    @property
    def url(self) -> str:
        """Of the same database and role, by way of the proxy."""
        way = self._server.set(host="127.0.0.1", port=self.port, query={"ssl": "disable"})
        return way.render_as_string(hide_password=False)

    async def link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await self._connect()
        messages = Messages()
        self._clients.append(messages)
        await asyncio.gather(
            _pass(reader, server_writer, messages.feed), _pass(server_reader, writer, lambda _: None)
        )

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self._server.query.get("host", self._server.host)
        port = self._server.query.get("port", self._server.port or 5432)
        if str(host).startswith("/"):
            return await asyncio.open_unix_connection(Path(str(host)) / f".s.PGSQL.{port}")
        return await asyncio.open_connection(str(host), int(str(port)))


@asynccontextmanager
async def wire(url: str) -> AsyncIterator[Wire]:
    """Yield a proxy before the server of the URL, on TCP or a Unix socket."""
    proxy = Wire(make_url(url))
    listener = await asyncio.start_server(proxy.link, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], None]
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            note(data)
            writer.write(data)
            await writer.drain()
    writer.close()
