"""What is to be sent to a client that stays: as much as it takes, and whoever takes too little is cut off."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Generic, TypeVar

MAX_ITEMS = 1_000
MAX_BYTES = 1_048_576
"""Kept for a client that does not take it."""
POLITE_SECONDS = 0.5
"""For the last words to a client; the connection of one that does not even take these is broken off."""

T = TypeVar("T")


class Ending(StrEnum):
    """Why a stream is over."""

    CLIENT = "client"
    SLOW = "slow"
    REMOVED = "removed"
    SIGNED_OUT = "signed_out"
    EXPIRED = "expired"
    REFUSED = "refused"
    STOPPING = "stopping"


class Stream(Generic[T]):
    def __init__(self) -> None:
        self.ending: Ending | None = None
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._limit: asyncio.Timeout | None = None

    @property
    def is_open(self) -> bool:
        return self.ending is None

    def put(self, item: T, size: int) -> None:
        if self.ending is not None:
            return
        self._items.append((item, size))
        self._bytes += size
        self._filled.set()
        if len(self._items) > MAX_ITEMS or self._bytes > MAX_BYTES:
            self.end(Ending.SLOW)

    def end(self, why: Ending) -> None:
        """Send nothing more, not even what waits."""
        if self.ending is not None:
            return
        self.ending = why
        self._items.clear()
        self._filled.set()
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + POLITE_SECONDS)

    async def take(self, seconds: float) -> T | None:
        """Return the next item, or None where none came for so long, and at the end."""
        if not self._items and self.ending is None:
            self._filled.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._filled.wait()
        if not self._items:
            return None
        item, size = self._items.popleft()
        self._bytes -= size
        return item

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Raise TimeoutError when the stream is over and the client does not take what is being sent."""
        async with asyncio.timeout(None) as self._limit:
            if self.ending is not None:
                self._limit.reschedule(asyncio.get_running_loop().time() + POLITE_SECONDS)
            yield
