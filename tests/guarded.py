"""The server as it is in production, in a thread, with shorter bounds; and callers that do as they like."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any, Literal, NamedTuple, Self

import uvicorn
from fastapi import FastAPI

from glasswork.core.http.connections import Bounds, Connections
from glasswork.core.http.serving import Server
from tests.processes import until
from tests.scrapes import total

BOUNDS = Bounds(
    look_seconds=0.02,
    head_seconds=0.4,
    head_bytes=4096,
    body_seconds=0.4,
    stuck_seconds=0.4,
    linger_seconds=1,
    last_seconds=0.1,
)
PATIENCE = 20
HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
GET = HEAD + b"\r\n"


class Guarded:
    """A server that runs; its state belongs to its thread, and is only looked at."""

    def __init__(
        self,
        app: FastAPI,
        listeners: list[socket.socket],
        connections: Connections,
        lifespan: Literal["on", "off"],
    ) -> None:
        self.port, self.inner_port = (listener.getsockname()[1] for listener in listeners)
        self.connections = connections
        self.loop: asyncio.AbstractEventLoop
        self._listeners = listeners
        self._app = app
        self._has_begun = Event()
        config = uvicorn.Config(
            app, lifespan=lifespan, log_config=None, timeout_graceful_shutdown=2, timeout_keep_alive=1
        )
        self._server = Server(config, connections, self._begin)
        self._thread = Thread(target=self._server.run, args=(listeners,))

    def _begin(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._has_begun.set()

    def start(self) -> None:
        self._thread.start()
        assert self._has_begun.wait(PATIENCE)

    def tell_to_stop(self) -> None:
        self._server.should_exit = True

    def wait(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def counted(self, name: str, **labels: str) -> float:
        scrape, _ = self._app.state.signals.metrics.expose("")
        return total(scrape.decode(), name, **labels)

    def refused(self, reason: str) -> float:
        return self.counted("glasswork_connections_refused_total", reason=reason)


@contextmanager
def guarded(
    app: FastAPI, most: int = 1000, *, inside: bool = False, begins: bool = False, **changes: Any
) -> Iterator[Guarded]:
    """`inside`: the second of two ports is METRICS_PORT's. `begins`: the app's lifespan is the server's."""
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(2)]
    inner_port = listeners[1].getsockname()[1] if inside else None
    bounds = Bounds(**{name: getattr(BOUNDS, name) for name in Bounds.__slots__} | changes)
    connections = Connections(app.state.signals.metrics, most, inner_port, bounds)
    server = Guarded(app, listeners, connections, "on" if begins else "off")
    server.start()
    try:
        yield server
    finally:
        server.tell_to_stop()
        server.wait()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert set(error) - {"trace_id"} == {"code", "message", "details", "request_id"}
        assert error["request_id"] == self.headers["x-request-id"]
        return error


class Caller:
    """A connection, and what comes back over it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._answers = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._answers.close()
        self.socket.close()

    def send(self, data: bytes) -> Self:
        """Whether the other side still wants it is told by what it answers."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)
        return self

    def read(self) -> Answer:
        """Raises ConnectionResetError, and ValueError when it is no whole answer."""
        status = int(self._answers.readline().split()[1])
        headers = {}
        while (line := self._answers.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode().strip().partition(": ")
            headers[name] = value
        body = self._answers.read(int(headers.get("content-length", "0")))
        return Answer(status, headers, body)

    def ends_with(self) -> int | None:
        """The status of the only answer, if the connection was not just cut off."""
        try:
            return self.read().status
        except (ConnectionResetError, IndexError):
            return None

    def take(self, count: int) -> bytes:
        """So many bytes, or fewer at the end of the connection."""
        return self._answers.read(count)

    def is_over(self) -> bool:
        """Wait until the other side says, in order, that nothing more comes."""
        return self._answers.read(1) == b""

    def trickle(self, data: bytes, until_answered: float = PATIENCE) -> Answer:
        """Send a byte every 20 ms, until there is an answer."""
        bytes_ = iter(data)
        self.socket.settimeout(0.02)

        def answered() -> bool:
            with suppress(StopIteration):
                self.send(bytes([next(bytes_)]))
            try:
                return bool(self.socket.recv(1, socket.MSG_PEEK))
            except TimeoutError:
                return False

        until(answered, until_answered)
        self.socket.settimeout(PATIENCE)
        return self.read()
