"""A server span for each request; of those that are sampled, the instrumentation package's.

The package's entry for FastAPI would try every route for every request, also for what is not sampled, so
its ASGI middleware is given our own lookup of the route. It takes as long as all other signals together,
whether its span is sampled or not. So of who is not, and where nothing is exported, the span is written here:
it says the same, and is there when the request fails, is slow, or is looked at on the operations page.
"""

import os
import re
from random import random
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.propagate import extract
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glasswork.core.request_headers import headers_of
from glasswork.core.telemetry.metrics import METHODS
from glasswork.core.telemetry.routes import Routes
from glasswork.core.telemetry.spans import LightTracer, LightTracerProvider
from glasswork.core.telemetry.traces import TRACEPARENT

# FastAPI's own telemetry would add spans beside those of the instrumentation package.
FASTAPI_TELEMETRY_OFF: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}

# A stream is no piece of work: its trace would be open for as long, and kept for having been slow.
_STREAMS = r"api/v1/(ws|workspaces/[^/]*/events)"
_UNTRACED = re.compile(rf"/(health|ready|metrics|ops(/.*)?|{_STREAMS})", re.DOTALL)
_NOBODY = Context()
_SERVER_ERROR = 500


class ServerSpanMiddleware:
    def __init__(self, app: ASGIApp, routes: Routes, provider: LightTracerProvider) -> None:
        # The package decides once per process which names its attributes have.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
        self.app = app
        self._routes = routes
        self._provider = provider
        self._package = OpenTelemetryMiddleware(
            app,
            default_span_details=self._describe,
            tracer_provider=provider,
            meter_provider=NoOpMeterProvider(),  # its metrics report one answer's size for another's
            exclude_spans=["receive", "send"],
        )
        scope = InstrumentationScope(__name__)
        if isinstance(self._package.tracer, LightTracer):
            scope = self._package.tracer.scope
            self._package.tracer = provider.tracer_of(scope, share=1)  # it is given no others
        self._tracer = provider.tracer_of(scope, 0 if provider.exports else provider.share)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _UNTRACED.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        parent = _parent(scope)
        if self._provider.exports and self._is_sampled(parent):
            await self._package(scope, receive, send)
        else:
            await self._trace(parent, scope, receive, send)

    def _is_sampled(self, parent: Context) -> bool:
        if parent is _NOBODY:
            return random() < self._provider.share  # noqa: S311 (no secret)
        return self._provider.samples(get_current_span(parent).get_span_context().trace_id)

    async def _trace(self, parent: Context, scope: Scope, receive: Receive, send: Send) -> None:
        name, attributes = self._describe(scope)
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes | _attributes(scope))

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                _tell_status(span, message["status"])
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                span.end()

        token = attach(set_span_in_context(span, parent))
        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
            raise
        finally:
            detach(token)
            span.end()

    def _describe(self, scope: Scope) -> tuple[str, dict[str, Any]]:
        template = self._routes.place(scope).template
        method = scope["method"] if scope["method"] in METHODS else "HTTP"
        return (f"{method} {template}", {"http.route": template}) if template else (method, {})


def _parent(scope: Scope) -> Context:
    told = headers_of(scope).get(TRACEPARENT.encode())
    if told is None:
        return _NOBODY
    parent = extract({TRACEPARENT: told.decode("latin-1")}, Context())
    return parent if get_current_span(parent).get_span_context().is_valid else _NOBODY


def _attributes(scope: Scope) -> dict[str, Any]:
    """What the package tells of a request, but for what RequestContextMiddleware says in its place."""
    method = scope["method"]
    told = {
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
        "http.request.method": method if method in METHODS else "_OTHER",
    }
    if (server := scope.get("server")) and server[1]:
        told["server.port"] = server[1]
    if client := scope.get("client"):
        told["client.port"] = client[1]
    return told


def _tell_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= _SERVER_ERROR:
        span.set_attribute("error.type", str(status))
        span.set_status(StatusCode.ERROR)
