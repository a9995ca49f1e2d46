"""One frame a second for all who watch, made once and only while somebody does."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from glasswork.core.errors import ServiceUnavailableError

log = structlog.get_logger()

MAX_VIEWERS = 5
EVERY_SECONDS = 1


class TooManyViewersError(ServiceUnavailableError):
    code = "TOO_MANY_VIEWERS"

    def __init__(self) -> None:
        super().__init__(f"There are {MAX_VIEWERS} viewers already.", retry_after=60)


class Frames:
    def __init__(self, make: Callable[[], Awaitable[Any]]) -> None:
        self._make = make
        self._viewers = 0
        self._frame = b""
        self._made = asyncio.Condition()
        self._making: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    def end(self) -> None:
        """End the streams of all viewers."""
        self._ending.set()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """Yield each frame as an event of a stream; raise TooManyViewersError."""
        if self._viewers >= MAX_VIEWERS:
            raise TooManyViewersError
        self._viewers += 1
        if self._making is None:
            self._making = asyncio.create_task(self._keep_making())
        try:
            yield self._frames()
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._making.cancel()
                self._making = None

    async def _frames(self) -> AsyncIterator[bytes]:
        while not self._ending.is_set():
            async with self._made:
                await self._made.wait()
            if not self._ending.is_set():
                yield self._frame

    async def _keep_making(self) -> None:
        while not self._ending.is_set():
            self._frame = await self._make_one()
            await self._tell()
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._ending.wait()
        await self._tell()

    async def _make_one(self) -> bytes:
        try:
            frame = json.dumps(await self._make(), separators=(",", ":"))
        except Exception:
            log.exception("page.frame_failed")
            return b": failed\n\n"
        return f"data: {frame}\n\n".encode()

    async def _tell(self) -> None:
        async with self._made:
            self._made.notify_all()
