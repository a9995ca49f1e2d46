import asyncio
import re
from contextlib import nullcontext
from functools import cache, partial
from time import perf_counter

from opentelemetry.trace import get_current_span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasswork.core.request_headers import header_of
from glasswork.core.telemetry.callers import short_address, user_agent_family
from glasswork.core.telemetry.context import RequestContext, begin_request, new_request_id
from glasswork.core.telemetry.metrics import METHODS, OTHER, Metrics
from glasswork.core.telemetry.recorder import Recorder
from glasswork.core.telemetry.routes import Place, Routes

HEADER = "X-Request-ID"
_HEADER = HEADER.lower().encode()
TIMING_HEADERS = ("X-Process-Time", "Server-Timing", "traceresponse")
CLIENT_GONE = 499
"""Nginx's status for an answer that nobody waits for any more; no caller ever sees it."""

_OURS = {name.lower().encode() for name in (HEADER, *TIMING_HEADERS)}
_NOT_RECORDED = nullcontext()
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)


class RequestContextMiddleware:
    """Give every request its id and its context, and every answer the ids and times."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Routes,
        metrics: Metrics,
        recorder: Recorder | None,
        tells_database: bool,
    ) -> None:
        self.app = app
        self._routes = routes
        self._active = cache(metrics.active_requests.labels)
        self._recorder = recorder
        self._tells_database = tells_database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        place = self._routes.place(scope)
        context = _begin(scope, place)
        if scope["type"] == "websocket":
            await self.app(scope, receive, partial(_send_with_id, context.request_id, send))
            return
        exchange = _Exchange(context, receive, send, self._tells_database)
        exchange.describe(scope)
        active = self._active(scope["method"] if scope["method"] in METHODS else OTHER)
        recorder = self._recorder if place.is_shown else None
        recorded = recorder.recording(context, "request") if recorder else _NOT_RECORDED
        with recorded:
            active.inc()
            try:
                await self.app(scope, exchange.receive, exchange.send)
            except asyncio.CancelledError:  # the server stops, and waits no longer
                exchange.cut_off()
                raise
            finally:
                active.dec()


def _begin(scope: Scope, place: Place) -> RequestContext:
    offered = header_of(scope, _HEADER)
    context = begin_request(offered if _ACCEPTED.fullmatch(offered) else new_request_id())
    context.path, context.workspace_id = place.path, place.workspace_id
    context.client_ip = short_address((scope.get("client") or ("", 0))[0])
    context.user_agent = user_agent_family(header_of(scope, b"user-agent"))
    return context


async def _send_with_id(request_id: str, send: Send, message: Message) -> None:
    """A handshake that is refused is answered as any request is."""
    if message["type"] == "websocket.http.response.start":
        message["headers"] = [*message.get("headers", ()), (_HEADER, request_id.encode())]
    await send(message)


class _Exchange:
    """One request and its answer, watched as they pass."""

    def __init__(self, context: RequestContext, receive: Receive, send: Send, tells_database: bool) -> None:
        self._context = context
        self._receive = receive
        self._send = send
        self._tells_database = tells_database
        self._span = get_current_span()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._context.is_aborted = self._context.last_byte is None and not self._context.is_stream
        else:
            self._context.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin_answer(message)
        elif message["type"] == "http.response.body":
            self._context.bytes_out += len(message.get("body", b""))
            if not message.get("more_body", False):
                self._context.last_byte = perf_counter()
        await self._send(message)
        if self._context.error and message["type"] == "http.response.start":
            # After the instrumentation, which says the status in its place.
            self._span.set_attribute("error.type", type(self._context.error).__qualname__)

    def describe(self, scope: Scope) -> None:
        """Tell the span what may be told, in the place of what its package took as it came."""
        if not self._span.is_recording():
            return
        told = {
            "glasswork.request_id": self._context.request_id,
            "url.path": self._context.path or "",
            "server.address": (scope.get("server") or ("", None))[0],
            "client.address": self._context.client_ip or "",
            "user_agent.original": self._context.user_agent or "",
        }
        if scope["query_string"]:
            told["url.query"] = "*"
        if scope["method"] not in METHODS:
            told["http.request.method_original"] = OTHER
        self._span.set_attributes(told)

    def cut_off(self) -> None:
        if self._context.status is None:
            self._span.set_attribute("http.response.status_code", 500)

    def _begin_answer(self, message: Message) -> None:
        context = self._context
        if context.is_aborted:
            message["status"] = CLIENT_GONE
        context.status, context.first_byte = message["status"], perf_counter()
        seconds = context.first_byte - context.started
        told = [
            (_HEADER, context.request_id.encode()),
            (b"x-process-time", b"%.6f" % seconds),
            (b"server-timing", self._timing(seconds).encode()),
        ]
        ids = self._span.get_span_context()
        if ids.is_valid:
            trace = f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{ids.trace_flags:02x}"
            told.append((b"traceresponse", trace.encode()))
        headers = [*message.get("headers", ())]
        context.is_stream = any(
            name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers
        )
        message["headers"] = [header for header in headers if header[0] not in _OURS] + told
        if context.user_id:
            self._span.set_attribute("user.id", str(context.user_id))

    def _timing(self, seconds: float) -> str:
        app = f"app;dur={seconds * 1000:.1f}"
        if not self._tells_database:
            return app
        return f'{app}, db;dur={self._context.db_seconds * 1000:.1f};desc="{self._context.db_queries}q"'
