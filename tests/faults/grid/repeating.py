"""A fault that comes again and again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def repeating(strike: Callable[[], Awaitable[object] | None], pause: float) -> AsyncIterator[None]:
    over = asyncio.Event()

    async def keep_striking() -> None:
        while not over.is_set():
            if (struck := strike()) is not None:
                await struck
            await asyncio.sleep(pause)

    async with asyncio.TaskGroup() as group:
        group.create_task(keep_striking())
        yield
        over.set()
