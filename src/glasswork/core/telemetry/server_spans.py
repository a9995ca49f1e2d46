"""A server span for each request, from the instrumentation package's ASGI middleware.

The package's entry for FastAPI would try every route for every request, also for what is not sampled, so
the middleware is given our own lookup of the route.
"""

import os

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.util.http import parse_excluded_urls
from starlette.types import Scope

from glasswork.core.telemetry.metrics import METHODS
from glasswork.core.telemetry.routes import Routes

# FastAPI's own telemetry would add spans beside those of the instrumentation package.
FASTAPI_TELEMETRY_OFF: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}

# Unanchored, it would hide any path with these words.
# A stream is no piece of work: its trace would be open for as long, and kept for having been slow.
_STREAMS = r"api/v1/(ws|workspaces/[^/]*/events)"
_UNTRACED = rf"^(http|ws)s?://[^/]*/(health|ready|metrics|ops(/.*)?|{_STREAMS})$"


def trace_requests(app: FastAPI, routes: Routes, provider: TracerProvider) -> None:
    # The package decides once per process which names its attributes have.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")

    def describe(scope: Scope) -> tuple[str, dict[str, str]]:
        template = routes.place(scope).template
        method = scope["method"] if scope["method"] in METHODS else "HTTP"
        return (f"{method} {template}", {"http.route": template}) if template else (method, {})

    app.add_middleware(
        OpenTelemetryMiddleware,
        excluded_urls=parse_excluded_urls(_UNTRACED),
        default_span_details=describe,
        tracer_provider=provider,
        meter_provider=NoOpMeterProvider(),  # its metrics report one answer's size for another's
        exclude_spans=["receive", "send"],
    )
