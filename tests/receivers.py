"""A receiver of webhooks on a real socket, who checks what he gets with another one's library."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from standardwebhooks.webhooks import Webhook

from tests.core.outside import answer

Behave = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.message["data"]

    def verify(self, *secrets: str) -> None:
        for secret in secrets:
            Webhook(secret).verify(self.body, dict(self.headers))


async def take(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(answer())


def refuse(status: str = "500 Internal Server Error", body: bytes = b"no", *headers: str) -> Behave:
    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status, body, *headers))

    return behave


async def hang(_: Received, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@dataclass
class Receiver:
    """Behaves as told from the next message on; keeps all that he was sent."""

    behave: Behave = take
    received: list[Received] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    _serving: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.received]

    @property
    def seqs(self) -> list[int]:
        return [each.data["seq"] for each in self.received]

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["Receiver"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(serving := cast(asyncio.Task[Any], asyncio.current_task()))
        serving.add_done_callback(self._serving.discard)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
            }
            received = Received(headers, await reader.readexactly(int(headers["content-length"])))
            self.received.append(received)
            await self.behave(received, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
