"""How much of a quota somebody has used: counted by all processes together, or by this one alone."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from pydantic import SecretStr

from glasswork.core.health import Check
from glasswork.core.rates import Count, Hit, Quota
from glasswork.core.telemetry.metrics import Metrics

KEPT: Final = 100_000
"""Windows of one length. Of more, the oldest are forgotten."""


@dataclass(slots=True)
class _Window:
    number: int
    ends_at: float


class LocalCounters:
    """Of this process. The cost of a hit does not grow with the number of callers."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        # By length, and in each the first to begin is the first to end.
        self._windows: defaultdict[int, OrderedDict[Hit, _Window]] = defaultdict(OrderedDict)

    def hit(self, quota: Quota, caller: str) -> Count:
        now, windows, key = self._clock(), self._windows[quota.seconds], (quota, caller)
        while windows and next(iter(windows.values())).ends_at <= now:
            windows.popitem(last=False)
        window = windows.get(key)
        if window is None:
            if len(windows) >= KEPT:
                windows.popitem(last=False)
            window = windows[key] = _Window(0, now + quota.seconds)
        window.number += 1
        return Count(window.number, round(window.ends_at - now, 3))  # as Redis says it; 60.00000001 is not 61


class Counters:
    def __init__(self, redis_url: SecretStr | None, metrics: Metrics) -> None:
        self._local = LocalCounters()
        self._shared = None
        if redis_url:
            # Not at the top: most installations have no Redis, and its client is a tenth of the start.
            from glasswork.core.shared_counters import SharedCounters  # noqa: PLC0415

            self._shared = SharedCounters(redis_url.get_secret_value(), metrics)

    @property
    def checks(self) -> Sequence[Check]:
        return [Check("redis", self._shared.check, is_optional=True)] if self._shared else []

    async def hit(self, hits: Sequence[Hit]) -> Sequence[Count]:
        """Count all of them, also those beyond their quota; this never fails."""
        shared = await self._shared.hit(hits) if self._shared else None
        if shared is not None:
            return shared
        return [self._local.hit(quota, caller) for quota, caller in hits]

    async def aclose(self) -> None:
        if self._shared:
            await self._shared.aclose()
