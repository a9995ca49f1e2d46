"""The way of log lines out of the process: nobody waits for it, and what it loses is counted."""

import logging
import os
import select
import sys
from collections.abc import Callable
from logging.handlers import QueueHandler
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

CAPACITY = 10_000
"""Lines that wait at most."""
CLOSE_SECONDS = 0.5

_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


class LogHandler(QueueHandler):
    """Formats a line where it is made, and writes it in a thread of its own.

    The thread starts with the first line. What the sink does to it - a pipe that nobody reads, a full disk -
    is felt there and nowhere else.
    """

    def __init__(self, descriptor: int, capacity: int = CAPACITY) -> None:
        # Not a Queue, whose lock is not reentrant: a finaliser may log while its own thread puts a line.
        self.keep: Callable[[logging.LogRecord], None] = _keep_nothing
        """Is shown each record that becomes a line."""
        self._waiting: SimpleQueue[bytes | Event | None] = SimpleQueue()
        super().__init__(self._waiting)
        self.descriptor = descriptor
        self._capacity = capacity
        self.lines = dict.fromkeys(_LEVELS.values(), 0)
        """Lines made so far, by level, with those that were lost."""
        self.dropped = dict.fromkeys(("queue_full", "sink_failed", "error", "closed"), 0)
        """Lines lost so far, by reason."""
        self._announced = 0
        self._is_torn = False
        self._is_closed = False
        self._writer: Thread | None = None

    @property
    def queued(self) -> int:
        """Lines that wait to be written."""
        return self._waiting.qsize()

    def prepare(self, record: logging.LogRecord) -> bytes:
        self.lines[_LEVELS[min(max(record.levelno // 10 * 10, 10), 50)]] += 1
        try:
            self.keep(record)
            return self._encoded(record)
        except Exception:  # noqa: BLE001 (a mistake in a line about a request is no mistake in the request)
            return self._encoded(_unformattable(record))

    def enqueue(self, record: Any) -> None:
        if self._is_closed:
            self.dropped["closed"] += 1
        elif self.queued >= self._capacity:
            self.dropped["queue_full"] += 1
        else:
            self._waiting.put_nowait(record)
            self._ensure_writer()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 (the name is logging's)
        """The base class would print to stderr, and wait for it."""
        self.dropped["error"] += 1

    def drain(self, seconds: float) -> bool:
        """Wait until all that is queued now has been written, and return whether it has."""
        if self._writer is None or not self._writer.is_alive():
            return self.queued == 0
        reached = Event()
        self._waiting.put_nowait(reached)
        return reached.wait(seconds)

    def close(self) -> None:
        """Give the sink a moment for what is still queued."""
        if not self._is_closed:
            self._is_closed = True
            self.drain(CLOSE_SECONDS)
            self._waiting.put_nowait(None)
        super().close()

    def _encoded(self, record: logging.LogRecord) -> bytes:
        return self.format(record).encode("utf-8", "backslashreplace") + b"\n"

    def _ensure_writer(self) -> None:
        # Nobody else is here: `handle` holds the handler's lock. After a fork the thread is not alive.
        if self._writer is None or not self._writer.is_alive():
            self._writer = Thread(target=self._write_queued, name="logs", daemon=True)
            self._writer.start()

    def _write_queued(self) -> None:
        while (item := self._waiting.get()) is not None:
            if isinstance(item, Event):
                self._announce_losses()
                item.set()
            elif not self._write(item):
                self.dropped["sink_failed"] += 1
            elif self.queued == 0:
                self._announce_losses()

    def _write(self, line: bytes) -> bool:
        """Return whether the line is out. Not with sys.stderr: its lock must be free when Python ends."""
        line = b"\n" + line if self._is_torn else line
        left = line
        try:
            while left:
                left = left[self._write_some(left) :]
        except OSError:
            self._is_torn = self._is_torn or len(left) < len(line)
            return False
        self._is_torn = False
        return True

    def _write_some(self, data: bytes) -> int:
        try:
            return os.write(self.descriptor, data)
        except BlockingIOError:
            select.select([], [self.descriptor], [])
            return 0

    def _announce_losses(self) -> None:
        lost = sum(self.dropped.values()) - self._announced
        if lost:
            record = _record(logging.WARNING, "log.lines_lost", lost=lost)
            if self._write(self._encoded(record)):
                self._announced += lost


def _keep_nothing(record: logging.LogRecord) -> None:
    pass


def _unformattable(record: logging.LogRecord) -> logging.LogRecord:
    """Whoever made the mistake is found by where the line comes from."""
    caller = f"{record.filename}:{record.lineno}"
    return _record(logging.ERROR, "log.not_formatted", caller=caller, exc_info=sys.exc_info())


def _record(level: int, event: str, **fields: Any) -> logging.LogRecord:
    shape = {"name": __name__, "levelno": level, "levelname": logging.getLevelName(level), "msg": event}
    return logging.makeLogRecord(shape | fields)
