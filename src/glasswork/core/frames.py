"""One frame a second for all who watch, made once and only while somebody does."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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
        while True:
            async with self._made:
                await self._made.wait()
            yield self._frame

    async def _keep_making(self) -> None:
        while True:
            try:
                frame = json.dumps(await self._make(), separators=(",", ":"))
                self._frame = f"data: {frame}\n\n".encode()
            except Exception:
                log.exception("page.frame_failed")
                self._frame = b": failed\n\n"
            async with self._made:
                self._made.notify_all()
            await asyncio.sleep(EVERY_SECONDS)
