"""The time between the news that a server stops and its end, in which others learn of it."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def draining(seconds: float, on_drain: Callable[[], None], on_stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM stop the server `seconds` later than it would; until then it serves, and tells others.

    A second SIGTERM stops it at once, and so does Ctrl-C: there somebody waits. `on_drain` is called in the
    event loop when the news comes. `on_stop` is when it really stops: the server waits for answers that go
    on, and would wait for streams.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    if not all(callable(handler) for handler in handlers.values()):
        yield  # not the server's own process
        return
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None) -> None:
        # Not here: a signal comes between any two steps, when the locks of the metrics may be held.
        loop.call_soon_threadsafe(on_stop)
        handler: Any = handlers[signal.Signals(number)]
        handler(number, frame)

    def begin() -> None:
        on_drain()
        loop.call_later(seconds, stop, signal.SIGTERM, None)

    def hear(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, stop)
        loop.call_soon_threadsafe(begin)

    signal.signal(signal.SIGTERM, hear if seconds else stop)
    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
