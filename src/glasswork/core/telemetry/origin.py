"""Where work that is done after a request belongs: in its trace, or in one of its own that links to it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagate import extract
from opentelemetry.trace import Link, get_current_span

SAME_TRACE = timedelta(minutes=15)
"""What is begun later than this is a trace of its own, which links to that of the order."""


def origin_of(headers: Mapping[str, Any], ordered_at: datetime) -> tuple[Context, list[Link]]:
    """Return the parent of its span, and what the span links to."""
    told = {name: str(value) for name, value in headers.items() if value is not None}
    origin = extract(told, Context())
    if datetime.now(UTC) - ordered_at <= SAME_TRACE:
        return origin, []
    ordered_by = get_current_span(origin).get_span_context()
    return trace.set_span_in_context(trace.INVALID_SPAN, Context()), [Link(ordered_by)] * ordered_by.is_valid
