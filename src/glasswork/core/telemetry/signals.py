"""What a process says of itself: one registry, one source of spans, one watch over its event loop."""

import asyncio
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Literal

from glasswork.core.revisions import head
from glasswork.core.telemetry import runtime, traces
from glasswork.core.telemetry.database import DatabaseSignals
from glasswork.core.telemetry.lines import LineKeeper
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.recorder import RecordedSpans, Recorder
from glasswork.core.telemetry.runtime import LoopWatch
from glasswork.core.telemetry.sink import LogHandler

VERSION = version("glasswork")
LINES_SECONDS = 0.3

Role = Literal["api", "worker"]


class Signals:
    """Made once in a process, and passed down; whoever is given None keeps quiet."""

    def __init__(self, role: Role, lines: LogHandler | None = None, *, records: bool = False) -> None:
        self.role = role
        self._lines = lines
        self.metrics = Metrics()
        self.recorder = Recorder() if records else None
        runtime.collect_runtime(self.metrics, lines)
        self.tracer_provider = traces.create_tracer_provider(
            f"glasswork-{role}", VERSION, self.metrics.spans_dropped
        )
        self.tracer = self.tracer_provider.get_tracer("glasswork", VERSION)
        self.database = DatabaseSignals(self.metrics, self.tracer)
        if self.recorder is not None:
            self.tracer_provider.add_span_processor(RecordedSpans())
            if lines is not None:
                lines.keep = LineKeeper(self.recorder).keep

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[LoopWatch]:
        """Watch the event loop until the end, and then send what is left, within a bound."""
        build = (VERSION, platform.python_version(), head() or "none", self.role)
        self.metrics.build_info.labels(*build).set(1)
        async with runtime.watch_loop(self.metrics) as loop:
            yield loop
        await asyncio.to_thread(self._send_the_rest)

    def _send_the_rest(self) -> None:
        traces.shut_down(self.tracer_provider)
        if self._lines is not None:
            self._lines.drain(LINES_SECONDS)
