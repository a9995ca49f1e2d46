"""HTTP as uvicorn speaks it, with bounds: it has none for the time that a request takes to come."""

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from glasswork.core.errors import (
    AppError,
    HeadersTooLargeError,
    MalformedRequestError,
    RequestTimeoutError,
    ServiceUnavailableError,
)
from glasswork.core.http.connections import SPOILT, Connections, has_unread
from glasswork.core.http.refusals import log_refusal, refusal_of
from glasswork.core.http.sockets import is_handshake
from glasswork.core.telemetry.context import new_request_id

RETRY_SECONDS = 5

_NOTHING, _HEAD, _BODY, _FULL, _END = range(5)
"""What is awaited: no more than the answer, a head, a body, a word to a caller without room, or an end."""


class GuardedProtocol(HttpToolsProtocol):
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
        self._bounds = guard.bounds
        self._awaited = _HEAD
        self._deadline: float | None = None
        self._head_bytes = 0
        self._stuck_since: float | None = None
        self._in_hand: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._guard.admit(self):
            self._expect(_HEAD, self._bounds.head_seconds)
        else:
            self._expect(_FULL, self._bounds.linger_seconds)
        if self._guard.is_stopping:
            self._leave_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.forget(self)
        super().connection_lost(exc)
        if self._in_hand and not self._in_hand.response_complete:  # uvicorn tells the newest one only
            self._in_hand.disconnected = True
            self._in_hand.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._awaited == _FULL:
            self._refuse(ServiceUnavailableError("There are too many connections.", RETRY_SECONDS))
        if self._awaited == _END:
            return
        if self._awaited == _NOTHING:
            self._awaited, self._deadline = _HEAD, None
        most = self._bounds.head_bytes
        if len(data) <= most - self._head_bytes:
            self._feed(data)
            return
        rest = memoryview(data)
        while rest and self._awaited != _END:
            piece = rest[: most - self._head_bytes]
            rest = rest[len(piece) :]
            self._feed(piece)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._in_hand = cycle
        super()._start_asgi_task(cycle, app)

    def on_headers_complete(self) -> None:
        self._awaited, self._deadline, self._head_bytes = _BODY, None, 0
        super().on_headers_complete()
        if self._guard.is_draining:
            self.drain()

    def on_message_complete(self) -> None:
        self._awaited, self._deadline = _NOTHING, None
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:  # type: ignore[redundant-expr]
            self._expect(_NOTHING, self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        """Do what uvicorn does, without a timer for each request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._awaited == _NOTHING:
            self._expect(_NOTHING, self.timeout_keep_alive)
        elif self._awaited == _BODY:  # it was not worth reading; now it is read so that the answer arrives
            self._expect(_BODY, self._bounds.linger_seconds)

    def handle_websocket_upgrade(self) -> None:
        if self._is_busy or not is_handshake(self.scope["method"], self.url, self.headers):
            self.send_400_response("This is no handshake of a WebSocket.")
        else:
            self._awaited, self._deadline = _END, None
            self._guard.forget(self)
            super().handle_websocket_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """Answer the request, and read no more: what comes behind it may be of another protocol."""
        self._expect(_END, self._bounds.linger_seconds)
        if self._is_busy:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        self._stuck_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stuck_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._guard.count_refusal("malformed")
        self._refuse(MalformedRequestError(msg))

    def drain(self) -> None:
        if (newest := self._newest) and not newest.response_started:
            newest.keep_alive = False

    def shutdown(self) -> None:
        """Close it, unless there is a request in hand, or on its way."""
        if self._awaited == _HEAD and not self._is_busy:
            self._leave_soon()
        elif self._awaited == _NOTHING and not self._is_busy:
            self._leave()
        else:
            super().shutdown()

    def look(self, now: float) -> None:
        """End what has waited for too long."""
        if self._stuck_since is not None and now - self._stuck_since > self._bounds.stuck_seconds:
            self.transport.abort()
        elif self._deadline is None or now < self._deadline:
            return
        elif self._awaited == _HEAD:
            self._end_head()
        elif self._awaited == _BODY:
            self._end_body()
        elif self._awaited == _NOTHING:
            self._leave()
        elif not self._is_busy:
            self.transport.abort()

    @property
    def _newest(self) -> RequestResponseCycle | None:
        """The last request whose head has come; by uvicorn's types there always is one."""
        return self.cycle

    @property
    def _is_busy(self) -> bool:
        newest = self._newest
        return newest is not None and not newest.response_complete

    def _expect(self, awaited: int, seconds: float) -> None:
        self._awaited, self._deadline = awaited, self.loop.time() + seconds

    def _feed(self, piece: bytes | memoryview) -> None:
        """Have it parsed; in pieces, so that no more of a head is kept than it may have."""
        if self._awaited == _HEAD:
            self._head_bytes += len(piece)
        super().data_received(piece)  # type: ignore[arg-type]
        if self._awaited == _NOTHING:
            if self.cycle is None or self.scope is self.cycle.scope:  # type: ignore[redundant-expr]
                return
            self._awaited, self._head_bytes = _HEAD, 1  # the next one has begun behind it, who knows where
        if self._awaited == _HEAD:
            if self._head_bytes >= self._bounds.head_bytes:
                self._guard.count_refusal("large_head")
                message = f"The request's line and headers may have {self._bounds.head_bytes} bytes."
                self._refuse(HeadersTooLargeError(message))
            elif self._deadline is None:
                self._expect(_HEAD, self._bounds.head_seconds)
        elif self._awaited == _BODY and not self.cycle.response_complete:
            self._extend(len(piece))

    def _extend(self, received: int) -> None:
        latest = self.loop.time() + self._bounds.body_seconds
        earned = received / self._bounds.body_rate
        self._deadline = latest if self._deadline is None else min(latest, self._deadline + earned)

    def _end_head(self) -> None:
        if self._is_busy:  # with an earlier one: its caller may as well wait
            self._expect(_HEAD, self._bounds.head_seconds)
        elif self._head_bytes:
            self._guard.count_refusal("slow_head")
            self._refuse(RequestTimeoutError("The headers did not come in time."))
        else:
            self.transport.close()

    def _end_body(self) -> None:
        if self.flow.read_paused and self._is_busy:  # it is we who do not read
            self._expect(_BODY, self._bounds.body_seconds)
        elif self._is_busy and not self.cycle.response_started and SPOILT not in self.cycle.scope:
            self._guard.count_refusal("slow_body")
            self._spoil(RequestTimeoutError.status)
            self._expect(_BODY, self._bounds.head_seconds)
        else:
            self.transport.abort()

    def _refuse(self, error: AppError) -> None:
        """Tell the caller, who is not read any more; in the middle of an answer nothing can be told."""
        self._expect(_END, self._bounds.linger_seconds)
        self._unset_keepalive_if_required()
        if self._is_busy:
            self._spoil(error.status)
            return
        request_id = new_request_id()
        log_refusal(error, request_id, self.client)
        self.transport.write(refusal_of(error, request_id, self.server_state.default_headers))
        self.transport.write_eof()

    def _spoil(self, status: int) -> None:
        """Let the request in hand be the last one, and its body be refused by whoever waits for it."""
        self.cycle.keep_alive = False
        if self.cycle.more_body:
            self.cycle.scope[SPOILT] = status  # type: ignore[literal-required]
            self.cycle.message_event.set()

    def _leave_soon(self) -> None:
        self.loop.call_later(self._bounds.last_seconds, self._leave)

    def _leave(self) -> None:
        if self._is_busy or self.transport.is_closing():
            return
        if has_unread(self.transport):
            self._leave_soon()
        else:
            self.transport.close()
