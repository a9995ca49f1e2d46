"""The connections of one process: how many there may be, and that none waits for ever for its caller."""

import asyncio
import fcntl
import struct
import termios
from dataclasses import dataclass
from typing import Any, Protocol

from glasswork.core.receiving import IDLE_SECONDS
from glasswork.core.telemetry.metrics import Metrics

SPOILT = "glasswork.body_is_spoilt"
"""In the scope of a request of whose body no more is to be had: the status by which its reader refuses it."""
MOST_INSIDE = 100
"""On METRICS_PORT, which must answer when the callers' port is full."""
MOST_TURNED_AWAY = 100
"""So many at a time are told why; whoever is beyond them is just closed."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Looked at once in `look_seconds`, and so late they may be noticed."""

    look_seconds: float = 1
    head_seconds: float = 10
    """From the first byte of a request, or the begin of its connection, to the end of its headers."""
    head_bytes: int = 32_768
    body_seconds: float = IDLE_SECONDS
    """How long a sender of a body may send nothing; as of files, which cannot be told from others here."""
    body_rate: int = 500
    """Bytes that buy a second more, up to `body_seconds`: single ones now and then are nothing."""
    stuck_seconds: float = 300
    """How long a caller may take nothing of its answer; megabytes of it may wait in the kernel, too."""
    linger_seconds: float = 2
    """For a caller to read what it is told before it is cut off: over unread bytes a close is a reset."""
    last_seconds: float = 0.25
    """For a request that is on its way when the server stops."""


class Watched(Protocol):
    """A connection."""

    connections: set[Any]
    server: tuple[str, int | None] | None
    transport: asyncio.Transport

    def drain(self) -> None: ...
    def look(self, now: float) -> None: ...


class Connections:
    """One timer looks at all of them, so that a request arms none of its own."""

    def __init__(
        self, metrics: Metrics, most: int, inner_port: int | None = None, bounds: Bounds | None = None
    ) -> None:
        self.most = most
        self.bounds = bounds or Bounds()
        self.is_draining = False
        """Every answer is the last one of its connection."""
        self.is_stopping = False
        self._inner_port = inner_port
        self._metrics = metrics
        self._open: set[Any] = set()  # the server's own, with those of WebSockets
        self._inner: set[Watched] = set()
        self._turned_away: set[Watched] = set()
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, new: Watched) -> bool:
        """Watch it from now on; return whether there is room for it."""
        self._open = new.connections
        self.watch(new)
        if new.server and new.server[1] == self._inner_port:
            self._inner.add(new)
            has_room = len(self._inner) <= MOST_INSIDE
        else:
            has_room = len(self._open) - len(self._inner) <= self.most
        if not has_room:
            self._turn_away(new)
        return has_room

    def watch(self, new: Watched) -> None:
        self._watched.add(new)
        if self._timer is None:
            self._look_later()

    def forget(self, gone: Watched) -> None:
        for each in (self._watched, self._inner, self._turned_away):
            each.discard(gone)

    def count_refusal(self, reason: str) -> None:
        self._metrics.connections_refused.labels(reason).inc()

    def drain(self) -> None:
        """Let every connection end with its next answer: who keeps one shall make another elsewhere."""
        self.is_draining = True
        for each in self._watched:
            each.drain()

    def stop(self) -> None:
        self.drain()
        self.is_stopping = True

    def _turn_away(self, new: Watched) -> None:
        self.count_refusal("full")
        self._inner.discard(new)
        self._open.discard(new)
        if len(self._turned_away) < MOST_TURNED_AWAY:
            self._turned_away.add(new)
        else:
            new.transport.abort()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.bounds.look_seconds, self._look)

    def _look(self) -> None:
        self._metrics.open_connections.set(len(self._open))
        if not self._watched and not self._open:
            self._timer = None
            return
        now = asyncio.get_running_loop().time()
        for each in tuple(self._watched):
            each.look(now)
        self._look_later()


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether the kernel has bytes that the loop has not come to: to close now would reset all."""
    descriptor = transport.get_extra_info("socket").fileno()
    found: int
    (found,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
    return found > 0
