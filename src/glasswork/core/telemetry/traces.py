"""Spans: which are kept, and how they leave over OTLP, when OTEL_EXPORTER_OTLP_ENDPOINT names a collector.

OTEL_TRACES_SAMPLER_ARG is the share of traces that are exported (0 to 1, by default all of them). Failed and
slow ones are exported whatever the share is.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import set_global_textmap
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from glasswork.core.telemetry.spans import LightSpan, LightTracerProvider

TRACEPARENT = "traceparent"
EXPORT_SECONDS = 1
SHUTDOWN_SECONDS = 2.0
SLOW_SECONDS = 1.0
QUEUED_SPANS = 4096

_SPANS_OF_A_TRACE = 200


class TraceParentPropagator(TraceContextTextMapPropagator):
    """Hears a caller's `traceparent`, and neither `tracestate` nor `baggage`, which may hold any text."""

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        parent = getter.get(carrier, TRACEPARENT)
        return super().extract({TRACEPARENT: parent} if parent else {}, context)


class Dropped(Protocol):
    """Counts what was lost."""

    def inc(self, amount: float = 1) -> None: ...


def create_tracer_provider(service: str, version: str, dropped: Dropped) -> LightTracerProvider:
    set_global_textmap(TraceParentPropagator())
    resource = Resource.create({"service.name": service, "service.version": version})
    share = float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "1"))
    provider = LightTracerProvider(resource, share)
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        exporter = CountedExporter(OTLPSpanExporter(timeout=EXPORT_SECONDS), dropped)
        provider.add_span_processor(KeepInteresting(exporter))
        provider.exports = True
    return provider


def shut_down(provider: TracerProvider) -> None:
    """Flush for a bounded time: with a dead collector the SDK's own shutdown takes 30 s."""
    thread = Thread(target=provider.shutdown, daemon=True)
    thread.start()
    thread.join(SHUTDOWN_SECONDS)


@contextmanager
def client_span(tracer: Tracer, name: str, attributes: Mapping[str, AttributeValue]) -> Iterator[None]:
    """Around a call to a neighbour. Of an error it tells the type; the text may hold anybody's address."""
    with tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise


def is_slow(seconds: float) -> bool:
    return seconds > SLOW_SECONDS


class CountedExporter(SpanExporter):
    """Counts to the unit what does not arrive, because the queue was full or the collector failed."""

    def __init__(self, exporter: SpanExporter, dropped: Dropped) -> None:
        self._exporter = exporter
        self._dropped = dropped
        self._pending = 0
        self._lock = Lock()

    def admit(self) -> bool:
        """Take a place in the queue, if there is one."""
        with self._lock:
            is_full = self._pending >= QUEUED_SPANS
            self._pending += not is_full
        if is_full:
            self._dropped.inc()
        return not is_full

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            with self._lock:
                self._pending -= len(spans)
            if result is SpanExportResult.FAILURE:
                self._dropped.inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class KeepInteresting(SpanProcessor):
    """Hold the spans of a trace that is not sampled until its end, and export it if that was bad or slow."""

    def __init__(self, exporter: CountedExporter) -> None:
        self._exporter = exporter
        self._batches = BatchSpanProcessor(
            exporter,
            max_queue_size=QUEUED_SPANS,
            max_export_batch_size=QUEUED_SPANS,  # at the end there is time for one attempt
        )

    def on_end(self, span: ReadableSpan) -> None:
        assert isinstance(span, LightSpan)  # noqa: S101 (its provider makes no others)
        if span.get_span_context().trace_flags.sampled:
            self._export(span)
            return
        kept, is_root = span.kept, _is_local_root(span)
        if len(kept) < _SPANS_OF_A_TRACE or is_root:
            kept.append(span)
        if is_root:
            if _is_interesting(span, kept):
                for each in kept:
                    self._export(_sampled(each))
            kept.clear()

    def shutdown(self) -> None:
        self._batches.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._batches.force_flush(timeout_millis)

    def _export(self, span: ReadableSpan) -> None:
        if self._exporter.admit():
            self._batches.on_end(span)


def _is_local_root(span: ReadableSpan) -> bool:
    return span.parent is None or span.parent.is_remote


def _is_interesting(root: ReadableSpan, spans: Sequence[ReadableSpan]) -> bool:
    nanoseconds = (root.end_time or 0) - (root.start_time or 0)
    return is_slow(nanoseconds / 1e9) or any(span.status.status_code is StatusCode.ERROR for span in spans)


def _sampled(span: ReadableSpan) -> ReadableSpan:
    """The exporter refuses spans without the flag."""
    context = span.get_span_context()
    assert context is not None  # noqa: S101 (an ended span has one)
    flagged = SpanContext(
        context.trace_id, context.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return ReadableSpan(
        name=span.name,
        context=flagged,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
