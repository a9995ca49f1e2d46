"""Tasks: the first of several, and the end of those that would go on for ever."""

import asyncio
from collections.abc import Coroutine
from typing import Any

AGAIN_SECONDS = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them until they have ended, and raise what one of them raised.

    Once is not enough: a driver that is cancelled just when it has an answer, or a failure of its own to
    tell, may tell that instead, and whoever bears all failures goes on.
    """
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=AGAIN_SECONDS)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def first(*awaitables: Coroutine[Any, Any, Any]) -> None:
    """Wait for one of them, and cancel the others."""
    tasks = {asyncio.ensure_future(awaitable) for awaitable in awaitables}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
