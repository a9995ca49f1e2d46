import asyncio
from collections.abc import Awaitable, Callable

import pytest

from glasswork.core import health
from glasswork.core.health import Check, Health
from glasswork.core.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio

SECONDS = 20
"""In which whatever a test waits for must have happened."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "EVERY_SECONDS", 0.001)


async def well() -> str:
    return "ok"


async def gone() -> str:
    raise ConnectionError("nobody is there")


async def silent() -> str:
    await asyncio.Event().wait()
    return "ok"


class Asked:
    """Answers each time as the next of these functions does, and notes what was known before."""

    def __init__(self, *answers: Callable[[], Awaitable[str]]) -> None:
        self._answers = iter(answers)
        self.known: list[str] = []
        self.metrics = Metrics()
        self.health = Health(self.metrics, [Check("otter", self.ask)])
        self.is_over = asyncio.Event()

    async def ask(self) -> str:
        self.known.append(self.health.status)
        answer = next(self._answers, None)
        if answer is None:
            self.is_over.set()
            return await silent()
        return await answer()

    async def until_over(self) -> list[str]:
        """Return what was known after each answer."""
        async with asyncio.timeout(SECONDS), self.health.watching():
            await self.is_over.wait()
        return self.known[1:]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


class TestFailures:
    async def test_the_first_look_counts_at_once(self) -> None:
        for answer, known in ((gone, "unavailable"), (well, "ok")):
            watched = Health(Metrics(), [Check("otter", answer)])
            assert (watched.status, watched.checks) == ("unavailable", {"otter": "unknown"})
            async with watched.watching():
                assert (watched.status, watched.checks) == (known, {"otter": known})

    async def test_three_in_a_row_make_unavailable_and_one_success_heals(self) -> None:
        asked = Asked(well, gone, gone, gone, gone, well, gone, gone, well)
        lost = ["unavailable"] * 2
        assert await asked.until_over() == ["ok"] * 3 + lost + ["ok"] * 4

    async def test_two_in_a_row_do_not(self) -> None:
        assert await Asked(well, gone, gone, well, gone, gone, well).until_over() == ["ok"] * 7

    async def test_what_is_wrong_is_told_and_kept_up_to_date(self) -> None:
        async def behind() -> str:
            return "at 0001, expected 0002"

        asked = Asked(behind, gone)
        async with asyncio.timeout(SECONDS), asked.health.watching():
            assert asked.health.checks == {"otter": "at 0001, expected 0002"}
            await asked.is_over.wait()
            assert asked.health.checks == {"otter": "unavailable"}

    async def test_silence_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(health, "CHECK_SECONDS", 0.01)
        asked = Asked(well, silent, silent, silent, well)
        assert await asked.until_over() == ["ok"] * 3 + ["unavailable", "ok"]

    async def test_of_what_can_be_spared_only_degrade(self) -> None:
        spared = Check("otter", gone, is_optional=True)
        for needed, known in ((well, "degraded"), (gone, "unavailable")):
            watched = Health(Metrics(), [spared, Check("fish", needed)])
            async with watched.watching():
                assert watched.status == known
                assert watched.checks["otter"] == "unavailable"


class TestLoop:
    async def test_asks_all_at_the_same_time(self) -> None:
        both = asyncio.Barrier(2)

        async def meet() -> str:
            await both.wait()
            return "ok"

        watched = Health(Metrics(), [Check("otter", meet), Check("fish", meet)])
        async with watched.watching():
            assert watched.status == "ok"

    async def test_is_not_held_up_by_what_does_not_heed_its_cancellation(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "CHECK_SECONDS", 0.01)
        let_go, begun, looks = asyncio.Event(), 0, asyncio.Queue[None]()

        async def cling() -> str:
            nonlocal begun
            begun += 1
            while not let_go.is_set():
                try:
                    await let_go.wait()
                except asyncio.CancelledError:
                    continue
            return "ok"

        async def look() -> str:
            looks.put_nowait(None)
            return "ok"

        watched = Health(Metrics(), [Check("otter", cling), Check("fish", look)])
        async with asyncio.timeout(SECONDS), watched.watching():
            for _ in range(5):
                await looks.get()
            assert watched.checks == {"otter": "unavailable", "fish": "ok"}
            assert begun == 1
            let_go.set()
            while watched.status != "ok":
                await looks.get()

    async def test_closes_all_at_its_end(self) -> None:
        closed: list[str] = []
        watched = Health(Metrics(), [Check("otter", well, close=lambda: closed.append("otter"))])
        async with watched.watching():
            assert closed == []
        assert closed == ["otter"]


async def test_one_that_drains_is_unavailable_whatever_else_is_well() -> None:
    metrics = Metrics()
    watched = Health(metrics, [Check("otter", well)])
    async with watched.watching():
        assert value(metrics, "glasswork_ready") == 1
        watched.drain()
        assert value(metrics, "glasswork_ready") == 0
        assert watched.status == "unavailable"
        assert watched.checks == {"otter": "ok", "process": "draining"}


async def test_metrics_tell_of_each_look() -> None:
    asked = Asked(well, gone)
    async with asyncio.timeout(SECONDS), asked.health.watching():
        assert value(asked.metrics, "glasswork_dependency_up", dependency="otter") == 1
        await asked.is_over.wait()
        assert value(asked.metrics, "glasswork_dependency_up", dependency="otter") == 0
        assert value(asked.metrics, "glasswork_ready") == 1
    count = "glasswork_dependency_check_seconds_count"
    assert value(asked.metrics, count, dependency="otter") == 2
