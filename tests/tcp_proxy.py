"""A TCP proxy between an app and its database, which fails when it is told to.

url = server.url(SERVING, name)
async with TcpProxy(url) as proxy:
    app = create_app(make_settings(proxy.url(url)))
    proxy.freeze()
"""

import asyncio
import socket
import struct
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import make_url
from sqlalchemy.engine import URL

HOST = "127.0.0.1"

_RST_AT_CLOSE = struct.pack("ii", 1, 0)
_READY_FOR_QUERY = b"Z\0\0\0\5I"


class TcpProxy:
    """Passes everything on, until it is told otherwise; used as an async context manager."""

    def __init__(self, url: str) -> None:
        """`url` is that of the server behind it, on TCP or a Unix socket."""
        self.latency = 0.0
        """Seconds by which each piece comes later, in either direction."""
        self._server = make_url(url)
        self._flows = asyncio.Event()
        self._flows.set()
        self._cuts = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._links: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()

    def url(self, url: str) -> str:
        """The same role and database, by way of the proxy."""
        way = make_url(url).difference_update_query(["host", "port"]).set(host=HOST, port=self._port)
        return way.render_as_string(hide_password=False)

    def freeze(self) -> None:
        """Go on accepting connections and bytes, and pass nothing on: what was taken arrives at the thaw."""
        self._flows.clear()

    async def refuse(self) -> None:
        """Be gone as a dead server is: no connection stays, and new ones are refused."""
        if self._listener:
            self._listener.close()
            self._listener = None
        self.reset()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def reset(self) -> None:
        """Break off every connection by RST, as a firewall that forgets; new ones are served."""
        for writer in self._writers:
            _reset(writer)

    def cut_after_commit(self) -> None:
        """Of the next COMMIT keep back the answer, and reset its connection: it is done, and nobody knows."""
        self._cuts = True

    async def heal(self) -> None:
        """End whatever fault there is."""
        self.latency = 0.0
        self._cuts = False
        self._flows.set()
        if self._listener is None:
            await self._listen()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, HOST, self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        self._writers.add(writer)
        try:
            await self._flows.wait()
            await self._link(reader, writer)
        except (asyncio.CancelledError, OSError):  # by `refuse`, or nobody is there behind us
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            self._links.discard(task)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await _connect(self._server)
        self._writers.add(server_writer)
        committing = asyncio.Event()
        there = asyncio.create_task(self._take_there(reader, server_writer, committing))
        back = asyncio.create_task(self._take_back(server_reader, writer, committing))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in (there, back):
                way.cancel()
            server_writer.close()
            self._writers.discard(server_writer)

    async def _take_there(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await self._next(reader):
                if self._cuts and is_commit(data):
                    self._cuts = False
                    committing.set()
                writer.write(data)
                await writer.drain()

    async def _take_back(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await self._next(reader):
                if not committing.is_set():
                    writer.write(data)
                    await writer.drain()
                elif data.endswith(_READY_FOR_QUERY):
                    _reset(writer)
                    return

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        """Return nothing at the end."""
        data = await reader.read(65_536)
        if self.latency:
            await asyncio.sleep(self.latency)
        await self._flows.wait()
        return data


async def _connect(url: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.query.get("host", url.host), url.query.get("port", url.port or 5432)
    assert isinstance(host, str)
    if host.startswith("/"):
        return await asyncio.open_unix_connection(Path(host) / f".s.PGSQL.{port}")
    return await asyncio.open_connection(host, int(str(port)))


def is_commit(data: bytes) -> bool:
    """Whether it is a simple query, as the driver sends COMMIT."""
    return data[:1] == b"Q" and data[5:].strip(b"\0; ").upper() == b"COMMIT"


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.transport.is_closing():  # its other end was faster
        return
    connection = writer.get_extra_info("socket")
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_AT_CLOSE)
    writer.transport.abort()
