"""The last requests, jobs and deliveries of this process, in memory of a fixed size: what `/ops` shows."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from time import time
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import format_trace_id, get_current_span

from glasswork.core.telemetry.context import RequestContext, find_request
from glasswork.core.telemetry.records import Ending, Kind, LineRecord, Record
from glasswork.core.telemetry.timeline import Timeline

MAX_RECENT, MAX_FAILED, MAX_SLOW = 500, 200, 100
MAX_BYTES = 12_000_000
"""A quarter of it for those that failed and an eighth for the slowest, which traffic must not push out."""
KEPT_SECONDS = 3600
SHED_LAG_MS = 100
SHED_ENDINGS = 400
"""In a second, about two thousand spans."""
SHED_SHARE = 10
"""While there is too much to do one of so many is kept whole."""


class Recorder:
    def __init__(self) -> None:
        self.timeline = Timeline()
        self.running: dict[int, Record] = {}
        self.is_shedding = False
        self._recent = _Newest(MAX_RECENT, MAX_BYTES * 5 // 8)
        self._failed = _Newest(MAX_FAILED, MAX_BYTES // 4)
        self._slow = _Slowest(MAX_SLOW, MAX_BYTES // 8)
        self._ended_in_second = 0
        self._number = 0

    @contextmanager
    def recording(self, request: RequestContext, kind: Kind) -> Iterator[None]:
        """Keep what it does; `end` decides what becomes of that."""
        ids = get_current_span().get_span_context()
        trace_id = format_trace_id(ids.trace_id) if ids.is_valid else None
        request.record = self.running[id(request)] = Record(kind, request.request_id, trace_id)
        try:
            yield
        finally:
            self.running.pop(id(request), None)

    def end(self, request: RequestContext, ending: Ending) -> None:
        record = self.running.pop(id(request), None)
        if record is None:
            return
        self._number += 1
        self._ended_in_second += 1
        is_slow = self._slow.admits(ending.duration)
        is_kept_whole = ending.is_failure or not self.is_shedding or self._number % SHED_SHARE == 0
        record.end(ending, with_spans=is_kept_whole or is_slow)
        if is_kept_whole:
            self._recent.add(record)
        if is_slow:
            self._slow.add(record)
        if ending.is_failure:
            self._failed.add(record)

    def take_line_of_all(self, line: LineRecord) -> None:
        """Of what happens to all that runs, such as a blocked event loop; from any thread."""
        for record in list(self.running.values()):
            record.take_line(line)

    def tick(self, worst_lag_ms: float) -> None:
        """Once a second: drop what is old, and see whether there is too much to do."""
        self.is_shedding = worst_lag_ms > SHED_LAG_MS or self._ended_in_second > SHED_ENDINGS
        self._ended_in_second = 0
        for ring in (self._recent, self._failed, self._slow):
            ring.drop_before(time() - KEPT_SECONDS)

    @property
    def bytes(self) -> int:
        return self._recent.bytes + self._failed.bytes + self._slow.bytes

    @property
    def recent(self) -> Iterator[Record]:
        """Newest first."""
        return reversed(self._recent.records)

    @property
    def failed(self) -> Iterator[Record]:
        return reversed(self._failed.records)

    @property
    def slow(self) -> Iterator[Record]:
        """Slowest first."""
        return reversed(self._slow.records)

    def find(self, request_id: str) -> list[Record]:
        found = (
            record for record in chain(self.recent, self.failed, self.slow) if record.request_id == request_id
        )
        return list({id(record): record for record in found}.values())


class RecordedSpans(SpanProcessor):
    """Hands each span to the record of the request that it belongs to."""

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        request = find_request()
        if request is not None and request.record is not None:
            request.record.take_span(span)


class _Newest:
    """The last ones, as many as fit."""

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.records: deque[Record] = deque()
        self.bytes = 0
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._sizes: deque[int] = deque()

    def add(self, record: Record) -> None:
        self.records.append(record)
        self._sizes.append(record.bytes)
        self.bytes += self._sizes[-1]
        while len(self.records) > self._max_records or self.bytes > self._max_bytes:
            self._drop_oldest()

    def drop_before(self, at: float) -> None:
        while self.records and self.records[0].at < at:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self.records.popleft()
        self.bytes -= self._sizes.popleft()


class _Slowest:
    """Those that took longest, the quickest first."""

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.records: list[Record] = []
        self._max_records = max_records
        self._max_bytes = max_bytes
        self.bytes = 0
        self._sizes: list[int] = []

    def admits(self, duration: float) -> bool:
        return len(self.records) < self._max_records or duration > self.records[0].ended.duration

    def add(self, record: Record) -> None:
        place = bisect_right(self.records, record.ended.duration, key=lambda each: each.ended.duration)
        self.records.insert(place, record)
        self._sizes.insert(place, record.bytes)
        self.bytes += record.bytes
        while len(self.records) > self._max_records or self.bytes > self._max_bytes:
            self._drop(0)

    def drop_before(self, at: float) -> None:
        for place in reversed(range(len(self.records))):
            if self.records[place].at < at:
                self._drop(place)

    def _drop(self, place: int) -> None:
        del self.records[place]
        self.bytes -= self._sizes.pop(place)
