"""Spans for everybody, also for who is not exported: the SDK's in all that is read, without what theirs cost.

The SDK's own take locks, check every value and copy themselves at their end, for programs that it does not
know. Ours are written by one task each, with values that are ours. Most of them are never exported: they are
there in case that the request fails or is slow, or that somebody looks at the operations page.
"""

from collections.abc import Mapping, Sequence
from random import getrandbits
from time import time_ns
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NoOpTracer,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
)
from opentelemetry.util.types import AttributeValue

_UNSET = Status()
_LOW_BITS = 2**64 - 1
_FLAGS = {
    is_sampled: TraceFlags(TraceFlags.RANDOM_TRACE_ID | (TraceFlags.SAMPLED if is_sampled else 0))
    for is_sampled in (True, False)
}


def _bound(share: float) -> int:
    return TraceIdRatioBased.get_bound_for_rate(share)


class LightSpan(Span, ReadableSpan):
    """Does not change after its end.

    `kept` are spans of its trace that have ended, for whoever decides at the end of all.
    """

    def __init__(
        self,
        tracer: "LightTracer",
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Mapping[str, AttributeValue] | None,
        links: Sequence[Link],
        start_time: int | None,
        kept: list[ReadableSpan],
    ) -> None:
        """Do as ReadableSpan's own does, but for the resource and the scope, which the tracer knows."""
        self._tracer = tracer
        self._name = name
        self._ids = self._context = context
        self._parent = parent
        self._kind = kind
        self._attributes: dict[str, AttributeValue] = dict(attributes) if attributes else {}
        self._links = links
        self._events: Sequence[Event] = ()
        self._status = _UNSET
        self._start_time = start_time or time_ns()
        self._end_time: int | None = None
        self.kept = kept

    @property
    def resource(self) -> Resource:
        return self._tracer.provider.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        return self._tracer.scope

    def get_span_context(self) -> SpanContext:
        return self._ids

    def is_recording(self) -> bool:
        return self._end_time is None

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        if self._end_time is None:
            self._attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        if self._end_time is None:
            self._attributes.update(attributes)

    def update_name(self, name: str) -> None:
        if self._end_time is None:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        if self._end_time is not None or self._status.status_code is StatusCode.OK:
            return
        status = status if isinstance(status, Status) else Status(status, description)
        if status.status_code is not StatusCode.UNSET:
            self._status = status

    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        if self._end_time is None:
            self._events = (*self._events, Event(name, attributes, timestamp))

    record_exception = SdkSpan.record_exception
    """It asks for nothing but `add_event`."""

    def end(self, end_time: int | None = None) -> None:
        if self._end_time is None:
            self._end_time = end_time or time_ns()
            self._tracer.provider.ended.on_end(self)


class LightTracer(Tracer):
    """`share` is that of the traces that begin here, and of those of strangers."""

    def __init__(self, provider: "LightTracerProvider", scope: InstrumentationScope, share: float) -> None:
        self.provider = provider
        self.scope = scope
        self._bound = _bound(share)

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, AttributeValue] | None = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: ARG002 (of the interface; `use_span` sees to it)
        set_status_on_exception: bool = True,  # noqa: ARG002
    ) -> Span:
        above = get_current_span(context)
        parent: SpanContext | None = above.get_span_context()
        kept: list[ReadableSpan] = []
        if parent is None or not parent.is_valid:
            parent, trace_id = None, getrandbits(128)
            flags = _FLAGS[trace_id & _LOW_BITS < self._bound]
        elif parent.is_remote:
            trace_id = parent.trace_id
            is_sampled = trace_id & _LOW_BITS < self._bound
            flags = TraceFlags(parent.trace_flags & TraceFlags.RANDOM_TRACE_ID | is_sampled)
        else:
            trace_id, flags = parent.trace_id, parent.trace_flags
            if isinstance(above, LightSpan):
                kept = above.kept
        ids = SpanContext(trace_id, getrandbits(64) or 1, is_remote=False, trace_flags=flags)
        return LightSpan(self, name, ids, parent, kind, attributes, links or (), start_time, kept)

    start_as_current_span = SdkTracer.start_as_current_span
    """It asks for nothing but `start_span`."""


class LightTracerProvider(TracerProvider):
    """What the caller wishes to be sampled is not heard: its share is that of all traces."""

    exports = False
    """Whether spans leave the process."""

    def __init__(self, resource: Resource, share: float) -> None:
        self.ended = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
        self.share = share
        super().__init__(ALWAYS_ON, resource, shutdown_on_exit=False, active_span_processor=self.ended)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> Tracer:
        scope = InstrumentationScope(
            instrumenting_module_name, instrumenting_library_version, schema_url, attributes
        )
        return self.tracer_of(scope, self.share)

    def samples(self, trace_id: int) -> bool:
        return trace_id & _LOW_BITS < _bound(self.share)

    def tracer_of(self, scope: InstrumentationScope, share: float) -> Tracer:
        return NoOpTracer() if self._disabled else LightTracer(self, scope, share)
