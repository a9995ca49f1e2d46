"""What a process tells of itself to the operations page, whichever process shows that."""

import asyncio
import os
import platform
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from itertools import islice
from math import floor
from time import time
from typing import Any

from glasswork.core.health import Health
from glasswork.core.revisions import head
from glasswork.core.telemetry.diagnosis import diagnose
from glasswork.core.telemetry.levels import Levels
from glasswork.core.telemetry.recorder import Recorder
from glasswork.core.telemetry.records import Record
from glasswork.core.telemetry.runtime import LoopWatch, memory_mb
from glasswork.core.telemetry.signals import VERSION, Signals
from glasswork.core.telemetry.timeline import Gauges, Point, count_as_json

RECENT_SECONDS = 60
SUMMARIES = 100
"""In one answer, at most."""

Answer = Any
"""What JSON can carry."""


class Instance:
    def __init__(self, signals: Signals, recorder: Recorder, health: Health) -> None:
        self.name = f"{signals.role}-{socket.gethostname()[:20]}-{os.getpid()}"
        self._signals = signals
        self._recorder = recorder
        self._health = health
        self._levels = Levels()
        self._started_at = time()
        self._worst_lag_ms = 0.0
        self._questions: Mapping[str, Callable[..., Answer]] = {
            "frame": self.frame,
            "history": self.history,
            "routes": self.routes,
            "requests": self.requests,
            "request": self.request,
            "levels": self._levels.show,
            "set_level": self.set_level,
        }

    @asynccontextmanager
    async def watching(self, loop: LoopWatch) -> AsyncIterator[None]:
        """Take down each second how the process is."""
        ticking = asyncio.create_task(self._tick(loop))
        try:
            yield
        finally:
            ticking.cancel()

    def answer(self, question: str, arguments: Mapping[str, Any]) -> Answer:
        """Ask by the name of one of the methods below; what comes back can be JSON."""
        return self._questions[question](**arguments)

    def frame(self) -> Answer:
        seconds = self._recorder.timeline.seconds
        total = self._recorder.timeline.total
        return {
            "instance": self._describe(),
            "total": {"requests": total.requests, "errors": total.errors},
            "recent": count_as_json(self._recorder.timeline.recent(RECENT_SECONDS)),
            "point": _point(seconds[-1]) if seconds else None,
        }

    def history(self, span: str) -> Answer:
        """`15m` by seconds, or `24h` by minutes."""
        timeline = self._recorder.timeline
        return [_point(point) for point in (timeline.minutes if span == "24h" else timeline.seconds)]

    def routes(self) -> Answer:
        routes = self._recorder.timeline.routes(time())
        return [
            {"method": method, "route": route, "count": count_as_json(count)}
            for (method, route), count in routes.items()
        ]

    def requests(
        self,
        order: str,
        request_id: str | None = None,
        route: str | None = None,
        status: str | None = None,
        user_id: str | None = None,
    ) -> Answer:
        """Order is recent, slow or failed; status also a class, such as `5xx`."""
        records: Iterable[Record] = {
            "recent": self._recorder.recent,
            "slow": self._recorder.slow,
            "failed": self._recorder.failed,
        }[order]
        if request_id is not None:
            records = self._recorder.find(request_id)
        found = (
            record
            for record in records
            if (route is None or route in record.ended.title)
            and (status is None or _has_status(record, status))
            and (user_id is None or record.ended.fields.get("user_id") == user_id)
        )
        return [self._summary(record) for record in islice(found, SUMMARIES)]

    def request(self, request_id: str) -> Answer:
        return [self._whole(record) for record in self._recorder.find(request_id)]

    def set_level(self, name: str, level: str) -> bool:
        """Return whether there is such a logger."""
        if not self._levels.knows(name):
            return False
        self._levels.set(name, level)
        return True

    async def _tick(self, loop: LoopWatch) -> None:
        due = floor(time())
        while True:
            # In step with the clock, so that the seconds of all processes are the same ones; and each once,
            # though the loop may wake up a little early.
            due = max(due, floor(time())) + 1
            await asyncio.sleep(due - time())
            self._worst_lag_ms = loop.take_worst() * 1000
            self._recorder.timeline.tick(due - 1, self._measure())
            self._recorder.tick(self._worst_lag_ms)

    def _measure(self) -> Gauges:
        pool = self._signals.database.pool
        return Gauges(
            in_flight=len(self._recorder.running),
            pool_used=pool.used,
            pool_max=pool.size,
            pool_waiting=pool.waiting,
            lag=round(self._worst_lag_ms, 2),
            rss_mb=round(memory_mb(), 1),
            is_ready=self._health.status != "unavailable",
        )

    def _describe(self) -> Answer:
        return {
            "name": self.name,
            "role": self._signals.role,
            "pid": os.getpid(),
            "version": VERSION,
            "python": platform.python_version(),
            "schema_head": head(),
            "started_at": self._started_at,
            "status": self._health.status,
            "checks": dict(self._health.checks),
            **asdict(self._measure()),
            "is_shedding": self._recorder.is_shedding,
            "held_mb": round(self._recorder.bytes / 1e6, 2),
        }

    def _summary(self, record: Record) -> dict[str, Any]:
        ending, cause = record.ended, diagnose(record)
        return {
            "request_id": record.request_id,
            "trace_id": record.trace_id,
            "kind": record.kind,
            "at": record.at,
            "instance": self.name,
            "title": ending.title,
            "status": ending.status,
            "outcome": ending.outcome,
            "duration": _ms(ending.duration),
            "statements": ending.statements,
            "user_id": ending.fields.get("user_id"),
            "path": ending.fields.get("path"),
            "error_code": ending.fields.get("error_code"),
            "cause": cause.text if cause else None,
        }

    def _whole(self, record: Record) -> dict[str, Any]:
        """Times in it are Unix seconds; whoever has all entries makes them relative."""
        ending, cause = record.ended, diagnose(record)
        culprits = cause.span_ids if cause else ()
        spans = sorted(record.spans, key=lambda span: span.start)
        return self._summary(record) | {
            "fields": ending.fields,
            "error": ending.error,
            "exception": ending.exception,
            "spans": [
                asdict(span) | {"duration": _ms(span.duration), "is_culprit": span.id in culprits}
                for span in spans
            ],
            "spans_left_out": record.spans_left_out,
            "lines": [asdict(line) for line in record.lines],
            "lines_left_out": record.lines_left_out,
            "cause": {"text": cause.text, "place": cause.place} if cause else None,
        }


def _has_status(record: Record, status: str) -> bool:
    """What a job or a delivery became of is asked for by that word."""
    if record.kind != "request" and record.ended.outcome == status:
        return True
    code = record.ended.status
    return code is not None and status in {str(code), f"{code // 100}xx"}


def _point(point: Point) -> dict[str, Any]:
    return {"at": point.at, "count": count_as_json(point.count), "gauges": asdict(point.gauges)}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
