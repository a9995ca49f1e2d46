"""A server on a real socket, in the loop of the test, and readers of its streams."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpx2
import uvicorn
import websockets
from fastapi import FastAPI

PATIENCE = 10
"""Seconds in which what must come comes, on a machine that does other things too."""


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Yield the address; the app's lifespan has begun elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a stream."""

    type: str
    id: int
    data: Any


class Events:
    """What a stream tells, one after the other."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.comments: list[str] = []
        self._lines = response.aiter_lines()

    async def next(self) -> Told:
        """Raise StopAsyncIteration at the end of the stream."""
        async with asyncio.timeout(PATIENCE):
            fields: dict[str, str] = {}
            while True:
                line = await anext(self._lines)
                if line.startswith(":"):
                    self.comments.append(line)
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    return Told(fields["event"], int(fields["id"]), json.loads(fields["data"]))

    async def take(self, count: int) -> list[Told]:
        return [await self.next() for _ in range(count)]

    async def rest(self) -> list[Told]:
        """Up to the end of the stream."""
        found = []
        try:
            while True:
                found.append(await self.next())
        except StopAsyncIteration:
            return found


@asynccontextmanager
async def following(
    url: str, token: str, workspace_id: str, after: int | None = None
) -> AsyncIterator[Events]:
    headers = {"Authorization": f"Bearer {token}"}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    async with (
        httpx2.AsyncClient(timeout=30, trust_env=False) as client,
        client.stream("GET", f"{url}/api/v1/workspaces/{workspace_id}/events", headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        yield Events(answer)


async def until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> float:
    """Return how long it took."""
    began = monotonic()
    while not is_so():
        assert monotonic() - began < seconds, f"not within {seconds} s"
        await asyncio.sleep(0.01)
    return monotonic() - began


class Conversation:
    """A WebSocket, as a client sees it."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            told: dict[str, Any] = json.loads(await self.socket.recv())
        return told

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        await self.say(kind, **fields)
        return await self.next()

    async def changes(self, count: int) -> list[tuple[str, int]]:
        """Return the subscription and number of each."""
        told = [await self.next() for _ in range(count)]
        assert {each["type"] for each in told} <= {"change"}
        return [(each["subscription"], each["change"]["seq"]) for each in told]

    async def code(self) -> int | None:
        """With which it is closed, whatever is said before."""
        with suppress(websockets.ConnectionClosed):
            async with asyncio.timeout(PATIENCE):
                async for _ in self.socket:
                    pass
        return self.socket.close_code


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Conversation]:
    """Nobody yet."""
    address = url.replace("http://", "ws://") + "/api/v1/ws"
    async with websockets.connect(address, proxy=None, **options) as socket:
        yield Conversation(socket)


@asynccontextmanager
async def talking(url: str, token: str) -> AsyncIterator[Conversation]:
    async with connected(url) as conversation:
        assert await conversation.ask("authenticate", token=token) == {"type": "authenticated"}
        yield conversation
