"""How the process itself is: its event loop, its threads, its memory."""

import asyncio
import gc
import os
import resource
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import anyio.to_thread
import structlog
from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from glasswork.core.telemetry.exceptions import place
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.sink import LogHandler

log = structlog.get_logger()

LOOP_BLOCKED = "loop.blocked"
"""The line that concerns all that runs."""

BEAT_SECONDS = 0.1
BLOCKED_SECONDS = 0.25


class RuntimeCollector(Collector):
    """Read at the scrape; each is this process's alone, so there is none where several share one answer."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            tasks, limiter = len(asyncio.all_tasks()), anyio.to_thread.current_default_thread_limiter()
        except RuntimeError:
            return  # outside of the event loop
        yield GaugeMetricFamily("asyncio_tasks", "Tasks of the event loop.", tasks)
        threads = GaugeMetricFamily("threadpool_tokens", "Threads for blocking work.", labels=["state"])
        threads.add_metric(["used"], limiter.borrowed_tokens)
        threads.add_metric(["idle"], limiter.available_tokens)
        yield threads


class LogCollector(Collector):
    def __init__(self, lines: LogHandler) -> None:
        self._lines = lines

    def collect(self) -> Iterator[Metric]:
        made = CounterMetricFamily("glasswork_log_lines", "Log lines made.", labels=["level"])
        for level, count in self._lines.lines.items():
            made.add_metric([level], count)
        dropped = CounterMetricFamily(
            "glasswork_log_lines_dropped", "Log lines that nobody took.", labels=["reason"]
        )
        for reason, count in self._lines.dropped.items():
            dropped.add_metric([reason], count)
        yield made
        yield dropped
        yield GaugeMetricFamily("glasswork_log_lines_queued", "Log lines to be written.", self._lines.queued)


def collect_runtime(metrics: Metrics, lines: LogHandler | None) -> None:
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        return
    if lines is not None:
        metrics.registry.register(LogCollector(lines))
    for kind in (ProcessCollector, PlatformCollector, GCCollector):
        kind(registry=metrics.registry)
    metrics.registry.register(RuntimeCollector())


@asynccontextmanager
async def watch_loop(metrics: Metrics) -> AsyncIterator["LoopWatch"]:
    """Measure how late the loop wakes up, and name the line at which it stands still."""
    watch = LoopWatch(metrics)
    beating = asyncio.create_task(watch.beat())
    thread = threading.Thread(target=watch.guard, args=(threading.get_ident(),), daemon=True)
    thread.start()
    try:
        with _collections_timed(watch.pauses):
            yield watch
    finally:
        watch.done.set()
        beating.cancel()
        thread.join()


class LoopWatch:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last_beat = monotonic()
        self._worst = 0.0
        self.pauses: deque[float] = deque(maxlen=10_000)
        """Of the garbage collector, in seconds, until the next beat counts them."""
        self.done = threading.Event()

    def take_worst(self) -> float:
        """Return the greatest lateness since the last call, in seconds."""
        worst, self._worst = self._worst, 0.0
        return worst

    async def beat(self) -> None:
        while True:
            due = perf_counter() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            lag = max(0, perf_counter() - due)
            self._worst = max(self._worst, lag)
            self._metrics.loop_lag_seconds.observe(lag)
            while self.pauses:
                self._metrics.gc_pause_seconds.observe(self.pauses.popleft())
            self._last_beat = monotonic()

    def guard(self, thread_id: int) -> None:
        told: float | None = None
        while not self.done.wait(BLOCKED_SECONDS / 2):
            beat = self._last_beat
            if monotonic() - beat > BEAT_SECONDS + BLOCKED_SECONDS and beat != told:
                told = beat
                self._metrics.loop_blocked.inc()
                log.warning(LOOP_BLOCKED, where=_where(thread_id))


def _where(thread_id: int) -> str:
    frame = sys._current_frames().get(thread_id)  # noqa: SLF001 (the standard library's own way)
    if frame is None:
        return "unknown"
    return place(frame.f_code, frame.f_lineno)


def memory_mb() -> float:
    """What the process holds now; where the system does not tell, the most that it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS
    return pages * resource.getpagesize() / 1e6


@contextmanager
def _collections_timed(pauses: deque[float]) -> Iterator[None]:
    """Only take them down: a collection comes at any moment, and this thread may hold a metric's lock."""
    began = perf_counter()

    def note(phase: str, _: dict[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = perf_counter()
        else:
            pauses.append(perf_counter() - began)

    gc.callbacks.append(note)
    try:
        yield
    finally:
        gc.callbacks.remove(note)
