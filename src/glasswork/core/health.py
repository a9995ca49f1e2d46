"""Whether the process can do its work: a loop asks whom it depends on, and `/ready` reads what was found."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

import structlog

from glasswork.core.telemetry.metrics import Metrics

log = structlog.get_logger()

CHECK_SECONDS = 1.0
EVERY_SECONDS = 2.0
FAILURES = 3
"""So many in a row, and what was well counts as lost: 4 to 7 s after it was, and not for a passing load."""

OK, UNAVAILABLE = "ok", "unavailable"

Status = Literal["ok", "degraded", "unavailable"]


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Check:
    """How to ask one on whom the process depends."""

    name: str
    ask: Callable[[], Coroutine[Any, Any, str]]
    """Returns `ok`, or what is wrong; whatever it raises, and silence, mean `unavailable`."""
    close: Callable[[], None] = _nothing
    is_optional: bool = False
    """The work is done without it, if not as well."""


class Health:
    """What is known of those that the checks ask; to read it never waits for one of them."""

    def __init__(self, metrics: Metrics, checks: Sequence[Check]) -> None:
        self._metrics = metrics
        self._watched = [_Watched(check, metrics) for check in checks]
        self._is_draining = False

    @property
    def status(self) -> Status:
        lost = [watched.check for watched in self._watched if watched.state != OK]
        if self._is_draining or not all(check.is_optional for check in lost):
            return "unavailable"
        return "degraded" if lost else "ok"

    @property
    def checks(self) -> Mapping[str, str]:
        """By name `ok` or what is wrong; of one that was not asked yet, `unknown`."""
        states = {watched.check.name: watched.state for watched in self._watched}
        return states | ({"process": "draining"} if self._is_draining else {})

    def drain(self) -> None:
        """Be unavailable from now on, because the process is going to stop."""
        self._is_draining = True
        self._tell()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Know how everything is from the first moment on, and until the end."""
        await self._look()
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait({looking})
            for watched in self._watched:
                watched.close()

    async def _keep_looking(self) -> None:
        pause = EVERY_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = perf_counter()
            await self._look()
            pause = EVERY_SECONDS - (perf_counter() - began)

    async def _look(self) -> None:
        await asyncio.gather(*(watched.look() for watched in self._watched))
        self._tell()

    def _tell(self) -> None:
        self._metrics.ready.set(self.status != "unavailable")


class _Watched:
    """One of those, with what is known of it."""

    def __init__(self, check: Check, metrics: Metrics) -> None:
        self.check = check
        self.state = "unknown"
        self._up = metrics.dependency_up.labels(check.name)
        self._seconds = metrics.dependency_seconds.labels(check.name)
        self._failures = 0
        self._asking: asyncio.Task[str] | None = None

    async def look(self) -> None:
        began = perf_counter()
        error: Exception | None = None
        try:
            found = await self._answer()
        except Exception as raised:  # noqa: BLE001 (whatever it is, the process cannot rely on it)
            found, error = UNAVAILABLE, raised
        self._seconds.observe(perf_counter() - began)
        self._up.set(found == OK)
        self._failures = 0 if found == OK else self._failures + 1
        # Only what is well is given more chances: the first look of all counts at once.
        if found == OK or self.state != OK or self._failures >= FAILURES:
            self._become(found, error)

    def close(self) -> None:
        if self._asking:
            self._asking.cancel()
        self.check.close()

    async def _answer(self) -> str:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self.check.ask())
        # One that does not heed its cancellation is not waited for, nor asked anew before it has ended.
        await asyncio.wait({self._asking}, timeout=CHECK_SECONDS)
        if not self._asking.done():
            self._asking.cancel()
            raise TimeoutError
        if self._asking.cancelled():
            raise TimeoutError
        return self._asking.result()

    def _become(self, state: str, error: Exception | None) -> None:
        if state == self.state:
            return
        if state != OK:
            log.warning("dependency.lost", dependency=self.check.name, state=state, exc_info=error)
        elif self.state != "unknown":
            log.info("dependency.back", dependency=self.check.name)
        self.state = state
