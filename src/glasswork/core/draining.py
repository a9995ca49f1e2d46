"""The time between the news that a server stops and its end, in which others learn of it."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from glasswork.core.health import Health


@contextmanager
def draining(health: Health, seconds: float) -> Iterator[None]:
    """Let SIGTERM stop the server `seconds` later than it would; until then it serves, and `/ready` warns.

    A second SIGTERM stops it at once, and so does Ctrl-C: there somebody waits.
    """
    stop = signal.getsignal(signal.SIGTERM)
    if not seconds or not callable(stop):
        yield
        return
    loop = asyncio.get_running_loop()

    def begin() -> None:
        health.drain()
        loop.call_later(seconds, stop, signal.SIGTERM, None)

    def hear(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, stop)
        # Not here: a signal comes between any two steps, when the locks of the metrics may be held.
        loop.call_soon_threadsafe(begin)

    signal.signal(signal.SIGTERM, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, stop)
