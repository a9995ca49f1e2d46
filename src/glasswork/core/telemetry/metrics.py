"""The end of every request: one function writes its metrics and its log line, so that they agree."""

import os

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_fastapi_instrumentator import Instrumentator
from prometheus_fastapi_instrumentator.metrics import Info
from starlette.requests import Request
from starlette.responses import Response

from glasswork.core.telemetry.context import current_request

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "_OTHER"
UNMATCHED_ROUTE = "__unmatched__"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

log = structlog.get_logger("glasswork.requests")


def measure_requests(app: FastAPI, registry: CollectorRegistry) -> None:
    requests = Counter(
        "http_server_requests",
        "Requests answered.",
        ("http_request_method", "http_route", "http_response_status_code"),
        registry=registry,
    )
    durations = Histogram(
        "http_server_request_duration_seconds",
        "Time to the last byte of the answer.",
        ("http_request_method", "http_route"),
        buckets=BUCKETS,
        registry=registry,
    )

    def finalise(info: Info) -> None:
        context = current_request()
        method = info.method if info.method in METHODS else OTHER_METHOD
        route = UNMATCHED_ROUTE if info.modified_handler == "none" else info.modified_handler
        seconds = context.seconds
        requests.labels(method, route, info.modified_status).inc()
        durations.labels(method, route).observe(seconds)
        log.info(
            "http.request",
            method=method,
            route=route,
            status=int(info.modified_status),
            duration_ms=round(seconds * 1000, 2),
            error_code=context.error_code,
            user_id=str(context.user_id) if context.user_id else None,
        )

    Instrumentator(
        should_group_status_codes=False,
        excluded_handlers=[r"^/(health|ready|metrics)$"],
        registry=registry,
    ).add(finalise).instrument(app)


def serve_metrics(app: FastAPI, registry: CollectorRegistry) -> None:
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(_scraped(registry)), media_type=None, headers={"Content-Type": content_type})

    app.add_route("/metrics", metrics, include_in_schema=False)


def _scraped(registry: CollectorRegistry) -> CollectorRegistry:
    """With several workers each answers for all of them, from the files they share."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return registry
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    return shared
