"""The end of every request: one function writes its metrics and its log line, so that they agree."""

from functools import cache
from time import time

import structlog
from opentelemetry.trace import SpanContext, get_current_span
from prometheus_client import Counter, Histogram
from prometheus_fastapi_instrumentator.metrics import Info
from prometheus_fastapi_instrumentator.middleware import PrometheusInstrumentatorMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp

from glasswork.core.telemetry.context import RequestContext, current_request
from glasswork.core.telemetry.exceptions import describe
from glasswork.core.telemetry.metrics import METHODS, OTHER, Metrics, status_label
from glasswork.core.telemetry.recorder import Recorder
from glasswork.core.telemetry.records import Ending
from glasswork.core.telemetry.routes import UNMATCHED, Routes, is_of_page
from glasswork.core.telemetry.traces import is_slow

log = structlog.get_logger("glasswork.requests")

_NOT_COUNTED = [r"^/(health|ready|metrics)$"]
_SERVER_ERROR = "server_error"


class RequestMetricsMiddleware(PrometheusInstrumentatorMiddleware):
    """The instrumentator's, with one lookup of the route for all signals; its own tries every route."""

    def __init__(
        self, app: ASGIApp, routes: Routes, metrics: Metrics, recorder: Recorder | None = None
    ) -> None:
        super().__init__(
            app,
            should_group_status_codes=False,
            excluded_handlers=_NOT_COUNTED,
            instrumentations=[Finaliser(metrics, recorder)],
            registry=metrics.registry,
        )
        self._routes = routes

    def _get_handler(self, request: Request) -> tuple[str, bool]:
        template = self._routes.place(request.scope).template
        return template or UNMATCHED, template is not None


class Finaliser:
    def __init__(self, metrics: Metrics, recorder: Recorder | None = None) -> None:
        self._metrics = metrics
        self._recorder = recorder
        self._series = cache(self._find_series)  # of closed sets, so it is bounded

    def __call__(self, info: Info) -> None:
        try:
            self._finalise(info, current_request())
        except Exception:
            self._metrics.telemetry_errors.inc()
            log.exception("telemetry.failed")

    def _finalise(self, info: Info, context: RequestContext) -> None:
        method = info.method if info.method in METHODS else OTHER
        route = UNMATCHED if info.modified_handler == "none" else info.modified_handler
        status = status_label(context.status or int(info.modified_status))
        if is_of_page(route):
            _write_failure(_end(context, method, route, int(status)), context)
            return
        seconds = context.seconds
        span = get_current_span().get_span_context()
        exemplar = _exemplar(span) if is_kept(span, int(status), seconds) else None
        requests, durations, queries = self._series(method, route, status)
        requests.inc(1, exemplar)
        durations.observe(seconds, exemplar)
        queries.observe(context.db_queries)
        ending = _end(context, method, route, int(status))
        _write(ending, context)
        if self._recorder is not None:
            is_error = status.startswith("5")
            self._recorder.timeline.add(time(), method, route, seconds, is_error, context.db_queries)
            self._recorder.end(context, ending)

    def _find_series(self, method: str, route: str, status: str) -> tuple[Counter, Histogram, Histogram]:
        return (
            self._metrics.requests.labels(method, route, status),
            self._metrics.request_seconds.labels(method, route),
            self._metrics.request_queries.labels(route),
        )


def is_kept(span: SpanContext, status: int, seconds: float) -> bool:
    """Whether its trace is exported: an exemplar must not lead to one that is not."""
    return span.is_valid and (span.trace_flags.sampled or status >= 500 or is_slow(seconds))  # noqa: PLR2004


def _exemplar(span: SpanContext) -> dict[str, str]:
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


def _end(context: RequestContext, method: str, route: str, status: int) -> Ending:
    outcome, seconds = _outcome(context, status), context.seconds
    ttfb = context.first_byte - context.started if context.first_byte else None
    fields = {
        "method": method,
        "route": route,
        "path": context.path,
        "status": status,
        "outcome": outcome,
        "error_code": context.error_code,
        "error_type": type(context.error).__qualname__ if context.error else None,
        "duration_ms": _milliseconds(seconds),
        "ttfb_ms": None if ttfb is None else _milliseconds(ttfb),
        "db_queries": context.db_queries,
        "db_ms": _milliseconds(context.db_seconds),
        "db_wait_ms": _milliseconds(context.db_wait_seconds),
        "jobs_ordered": context.jobs_ordered,
        "idempotent_replayed": context.is_replayed or None,
        "retries": context.retries or None,
        "bytes_in": context.bytes_in,
        "bytes_out": context.bytes_out,
        "user_id": str(context.user_id) if context.user_id else None,
        "workspace_id": context.workspace_id,
        "trace_sampled": get_current_span().get_span_context().trace_flags.sampled,
        "client_ip": context.client_ip,
        "user_agent": context.user_agent,
    }
    return Ending(
        title=f"{method} {route}",
        status=status,
        outcome=outcome,
        duration=seconds,
        statements=context.db_queries,
        fields={name: value for name, value in fields.items() if value is not None},
        error=context.sent_error,
        exception=describe(context.error) if context.error else None,
    )


def _write(ending: Ending, context: RequestContext) -> None:
    is_bad = ending.outcome == _SERVER_ERROR
    level = "error" if is_bad else "warning" if is_slow(ending.duration) else "info"
    getattr(log, level)("http.request", **ending.fields, exc_info=context.error if is_bad else None)


def _write_failure(ending: Ending, context: RequestContext) -> None:
    """Of the operations page nothing is told but what it does wrong: it shows what others did."""
    if ending.outcome == _SERVER_ERROR:
        _write(ending, context)


def _outcome(context: RequestContext, status: int) -> str:
    if context.is_aborted:
        return "aborted"
    if context.error or status >= 500:  # noqa: PLR2004
        return _SERVER_ERROR
    return "client_error" if status >= 400 else "ok"  # noqa: PLR2004


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
