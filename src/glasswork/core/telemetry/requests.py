"""The end of every request: one function writes its metrics and its log line, so that they agree."""

import logging
from functools import cache
from time import time

import structlog
from opentelemetry.trace import SpanContext, get_current_span
from prometheus_client import Counter, Histogram
from prometheus_fastapi_instrumentator.metrics import Info
from prometheus_fastapi_instrumentator.middleware import PrometheusInstrumentatorMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from glasswork.core.telemetry.context import RequestContext, current_request
from glasswork.core.telemetry.exceptions import describe
from glasswork.core.telemetry.metrics import METHODS, OTHER, Metrics, status_label
from glasswork.core.telemetry.recorder import Recorder
from glasswork.core.telemetry.records import Ending
from glasswork.core.telemetry.request_line import RequestLine
from glasswork.core.telemetry.routes import UNMATCHED, Routes, is_of_page
from glasswork.core.telemetry.traces import is_slow

log = structlog.get_logger("glasswork.requests")
logger = logging.getLogger("glasswork.requests")

_NOT_COUNTED = [r"^/(health|ready|metrics)$"]
_SERVER_ERROR = "server_error"
_NOT_ANSWERED = 500


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

        self._is_counted = cache(lambda template: not self._is_handler_excluded(template, True))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do without the copy of the answer that the instrumentator's own makes: nobody here asks for one."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            template = self._routes.place(scope).template
            if template is None or self._is_counted(template):
                self._tell(scope, template or UNMATCHED)

    def _tell(self, scope: Scope, route: str) -> None:
        context = current_request()
        status, seconds = str(context.status or _NOT_ANSWERED), context.seconds
        info = Info(Request(scope), None, scope["method"], route, status, seconds, seconds)
        for instrumentation in self.instrumentations:
            instrumentation(info)


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
        route, status, seconds = (
            info.modified_handler,
            status_label(int(info.modified_status)),
            context.seconds,
        )
        ids = get_current_span().get_span_context()
        ending = _end(context, method, route, int(status), seconds, ids)
        if is_of_page(route):
            _write_failure(ending, context, ids)
            return
        exemplar = _exemplar(ids) if is_kept(ids, int(status), seconds) else None
        requests, durations, queries = self._series(method, route, status)
        requests.inc(1, exemplar)
        durations.observe(seconds, exemplar)
        queries.observe(context.db_queries)
        _write(ending, context, ids)
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


def _end(
    context: RequestContext, method: str, route: str, status: int, seconds: float, ids: SpanContext
) -> Ending:
    """Say what became of it, in values that are ours or were made harmless: see `RequestLine`."""
    outcome = _outcome(context, status)
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
        "trace_sampled": ids.trace_flags.sampled,
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


def _write(ending: Ending, context: RequestContext, ids: SpanContext) -> None:
    is_bad = ending.outcome == _SERVER_ERROR
    level = logging.ERROR if is_bad else logging.WARNING if is_slow(ending.duration) else logging.INFO
    if logger.isEnabledFor(level):
        error = context.error if is_bad else None
        logger.handle(RequestLine(logger.name, level, ending.fields, error, context.request_id, ids))


def _write_failure(ending: Ending, context: RequestContext, ids: SpanContext) -> None:
    """Of the operations page nothing is told but what it does wrong: it shows what others did."""
    if ending.outcome == _SERVER_ERROR:
        _write(ending, context, ids)


def _outcome(context: RequestContext, status: int) -> str:
    if context.is_aborted:
        return "aborted"
    if context.error or status >= 500:  # noqa: PLR2004
        return _SERVER_ERROR
    return "client_error" if status >= 400 else "ok"  # noqa: PLR2004


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
