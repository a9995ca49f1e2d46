"""The counts in Redis, which is optional: whoever it does not answer counts alone."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog
from redis.asyncio import Redis

from glasswork.core.health import OK
from glasswork.core.rates import Count, Hit, Quota
from glasswork.core.telemetry.metrics import Metrics

WAIT_SECONDS: Final = 0.04
"""No request waits for longer, and after one that has, no other waits at all until a check was good."""
GRACE_SECONDS: Final = 0.01
"""But for these: an event loop that stood still while it waited has not looked for the answer yet."""
CHECK_SECONDS: Final = 0.5

# Atomic: of those who come together each gets a number of its own.
_COUNT: Final = """
local counts = {}
for place, key in ipairs(KEYS) do
    counts[2 * place - 1] = redis.call('INCR', key)
    if counts[2 * place - 1] == 1 then
        redis.call('PEXPIRE', key, ARGV[place])
    end
    counts[2 * place] = redis.call('PTTL', key)
end
return counts
"""

log = structlog.get_logger()

_CHECK: Final = (Quota("check", "check", 1, 1), "")


class _Asked(NamedTuple):
    hits: Sequence[Hit]
    answer: asyncio.Future[Sequence[Count] | None]


class SharedCounters:
    """Those who ask at the same time are sent together, over one connection."""

    def __init__(self, url: str, metrics: Metrics) -> None:
        self._client = Redis.from_url(
            url, socket_timeout=CHECK_SECONDS, socket_connect_timeout=CHECK_SECONDS, decode_responses=True
        )
        self._count = self._client.register_script(_COUNT)
        self._fallback = metrics.rate_limit_fallback
        self._is_reached: bool | None = None
        self._waiting: list[_Asked] = []
        self._sent: list[_Asked] = []
        self._sender: asyncio.Task[None] | None = None

    async def hit(self, hits: Sequence[Hit]) -> Sequence[Count] | None:
        """Return None where Redis does not answer in time, and at once where it did not lately."""
        if not self._is_reached:
            return None
        asked = _Asked(hits, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        for seconds in (WAIT_SECONDS, GRACE_SECONDS):
            await asyncio.wait({asked.answer}, timeout=seconds)
            if asked.answer.done():
                return asked.answer.result()
        self._lose(TimeoutError())
        return None

    async def check(self) -> str:
        """Find out whether Redis counts, in the time that a request would wait."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._ask([_CHECK])  # which connects, where that is needed
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._ask([_CHECK])
        except Exception as error:
            self._lose(error)
            raise
        if self._is_reached is False:
            log.info("limits.shared")
        self._is_reached = True
        self._fallback.set(0)
        return OK

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _send(self) -> None:
        while self._waiting:
            self._sent, self._waiting = self._waiting, []
            try:
                counts = iter(await self._ask([hit for asked in self._sent for hit in asked.hits]))
            except Exception as error:  # noqa: BLE001 (whatever it is, no request may fail for it)
                self._lose(error)
                return
            for asked in self._sent:
                asked.answer.set_result([next(counts) for _ in asked.hits])
            self._sent = []

    async def _ask(self, hits: Sequence[Hit]) -> Sequence[Count]:
        keys = [f"glasswork:limits:{quota.name}:{quota.seconds}:{caller}" for quota, caller in hits]
        counts: Sequence[int] = await self._count(keys, [quota.seconds * 1000 for quota, _ in hits])
        numbers, milliseconds = counts[::2], counts[1::2]
        return [Count(number, left / 1000) for number, left in zip(numbers, milliseconds, strict=True)]

    def _lose(self, error: Exception) -> None:
        """Let nobody wait any more."""
        if self._is_reached is not False:
            log.warning("limits.alone", error_type=type(error).__qualname__)
        self._is_reached = False
        self._fallback.set(1)
        for asked in (*self._sent, *self._waiting):
            asked.answer.set_result(None)
        self._sent, self._waiting = [], []
        if self._sender and self._sender is not asyncio.current_task():
            self._sender.cancel()
