"""Connections by which children of the tests call them."""

import asyncio
from dataclasses import dataclass
from typing import Self

from tests.core.runners import SECONDS


@dataclass
class Line:
    pid: int
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter

    def release(self) -> None:
        self._writer.write(b".")

    async def until_gone(self) -> None:
        """The system closes what a process leaves open, however it ends."""
        async with asyncio.timeout(SECONDS):
            assert await self._reader.read() == b""


class Switchboard:
    def __init__(self) -> None:
        self._calls: asyncio.Queue[Line] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def answer(self, seconds: float = SECONDS) -> Line:
        async with asyncio.timeout(seconds):
            return await self._calls.get()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._calls.put_nowait(Line(int(await reader.readline()), reader, writer))
