"""WebSockets as uvicorn speaks them, with bounds: a caller's mistake costs neither memory nor a traceback."""

import asyncio
from collections.abc import Iterable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from glasswork.core.http.connections import Connections

MOST_FRAGMENTS = 1000
"""Of a message; each costs memory, also one that is empty."""


def is_handshake(method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether who is to answer it will: at what it cannot read, uvicorn breaks off without a word."""
    lines = (b"%b: %b\r\n" % header for header in headers)
    trial = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()])
    trial.receive_data(b"".join((method.encode(), b" ", target, b" HTTP/1.1\r\n", *lines, b"\r\n")))
    return any(
        isinstance(event, Request) and trial.accept(event).status_code == 101  # noqa: PLR2004 (it switches)
        for event in trial.events_received()
    )


class SocketProtocol(WebSocketsSansIOProtocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        guard: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._guard = guard
        self._stuck_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._guard.watch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.forget(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Read no more, either: each ping is answered, whether the answers are taken or not."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < MOST_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames):
            self._fail(CloseCode.INVALID_DATA, "no UTF-8")
        else:
            super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """What the app still says after that is for nobody, and no mistake of its."""
        super().handle_parser_exception()
        self.disconnected = True

    def drain(self) -> None:
        """It ends by itself, and tells its caller so."""

    def look(self, now: float) -> None:
        """End what its caller does not take, also when it is closed and only the rest is under way."""
        if self.writable.is_set() and not self.transport.is_closing():
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        elif now - self._stuck_since > self._guard.bounds.stuck_seconds:
            self.transport.abort()

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()


def _is_text(frames: Iterable[bytes]) -> bool:
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True
