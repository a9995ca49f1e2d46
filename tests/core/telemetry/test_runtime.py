import asyncio
import gc
import threading
import time

import pytest

from glasswork.core.telemetry.runtime import BLOCKED_SECONDS, watch_loop
from glasswork.core.telemetry.signals import Signals

from .conftest import RUNTIME, Log

pytestmark = pytest.mark.anyio

BLOCKED = "glasswork_event_loop_blocked_total"


@pytest.fixture
def signals() -> Signals:
    return Signals("api")


def value(signals: Signals, name: str) -> float:
    return signals.metrics.registry.get_sample_value(name) or 0


class TestLoop:
    async def test_that_stands_still_is_told_with_the_line_that_holds_it(
        self, signals: Signals, log: Log
    ) -> None:
        RUNTIME.disabled = False
        async with watch_loop(signals.metrics):
            await asyncio.sleep(0)  # the first beat begins
            time.sleep(BLOCKED_SECONDS * 3)  # noqa: ASYNC251 (that is the fault)
            while not value(signals, BLOCKED):
                await asyncio.sleep(0.01)
        assert value(signals, BLOCKED) >= 1
        told = log.lines(RUNTIME.name)  # a busy machine may stand still once more
        assert {line["event"] for line in told} == {"loop.blocked"}
        assert any("test_runtime.py" in line["where"] for line in told)

    async def test_that_turns_is_not(self, signals: Signals) -> None:
        async with watch_loop(signals.metrics):
            while value(signals, "glasswork_event_loop_lag_seconds_count") < 5:
                await asyncio.sleep(0.01)
        assert value(signals, BLOCKED) == 0


async def test_collections_of_garbage_are_timed_while_it_is_watched(signals: Signals) -> None:
    name = "python_gc_pause_seconds_count"
    async with watch_loop(signals.metrics) as watch:
        gc.collect()
        while not value(signals, name):
            await asyncio.sleep(0.01)
    watch.pauses.clear()
    gc.collect()
    assert not watch.pauses


async def test_a_collection_waits_for_no_lock_of_the_metrics(signals: Signals) -> None:
    """It may come while this very thread holds one, and would wait for ever."""
    collecting = threading.Thread(target=gc.collect, daemon=True)
    lock = signals.metrics.gc_pause_seconds._sum._lock  # noqa: SLF001 (there is no other way to hold it)
    async with watch_loop(signals.metrics) as watch:
        with lock:
            collecting.start()
            collecting.join(10)
            assert not collecting.is_alive()
        assert watch.pauses


async def test_the_scrape_tells_of_the_process(signals: Signals) -> None:
    body, _ = signals.metrics.expose("text/plain")
    for name in (b"asyncio_tasks ", b'threadpool_tokens{state="idle"} ', b"process_resident_memory_bytes "):
        assert b"\n" + name in body


def test_outside_of_a_loop_there_are_no_tasks(signals: Signals) -> None:
    body, _ = signals.metrics.expose("text/plain")
    assert b"asyncio_tasks " not in body
