"""The counts in Redis, and what becomes of them without it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from structlog.testing import capture_logs

from glasswork.core import shared_counters
from glasswork.core.counters import Counters
from glasswork.core.rates import parse_rates
from glasswork.core.telemetry.metrics import Metrics
from tests.redis_server import RedisServer, needs_redis

pytestmark = [pytest.mark.anyio, needs_redis]

(HOUR,) = parse_rates("search", "10/hour")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is not about time, on a machine that has other things to do."""
    monkeypatch.setattr(shared_counters, "WAIT_SECONDS", 5)
    monkeypatch.setattr(shared_counters, "CHECK_SECONDS", 10)


class Replica:
    """A process as far as its counts are concerned."""

    def __init__(self, url: str) -> None:
        self.metrics = Metrics()
        self.counters = Counters(SecretStr(url), self.metrics)

    @property
    def is_alone(self) -> bool:
        return self.metrics.registry.get_sample_value("glasswork_rate_limit_fallback") == 1

    async def hit(self, caller: str) -> int:
        ((number, _),) = await self.counters.hit([(HOUR, caller)])
        return number

    async def look(self) -> None:
        """As the loop of /ready does every two seconds."""
        (check,) = self.counters.checks
        with suppress(redis.RedisError, TimeoutError):
            assert await check.ask() == "ok"

    async def until_back(self) -> None:
        async with asyncio.timeout(20):
            while True:
                await self.look()
                if not self.is_alone:
                    return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def replica(url: str) -> AsyncIterator[Replica]:
    """Redis has answered it once."""
    made = Replica(url)
    await made.until_back()
    yield made
    await made.counters.aclose()


class TestShared:
    @pytest.mark.usefixtures("patient")
    async def test_of_many_at_once_each_has_its_own_number(self, redis_server: RedisServer) -> None:
        async with replica(redis_server.url) as one, replica(redis_server.url) as other:
            numbers = await asyncio.gather(*(each.hit("crowd") for each in (one, other) for _ in range(25)))
        assert sorted(numbers) == list(range(1, 51))
        assert not one.is_alone

    @pytest.mark.usefixtures("patient")
    async def test_those_of_a_request_are_counted_together(self, redis_server: RedisServer) -> None:
        (minute,) = parse_rates("global", "10/minute")
        async with replica(redis_server.url) as one:
            await one.hit("pair")
            counts = await one.counters.hit([(HOUR, "pair"), (minute, "pair")])
        assert [count.number for count in counts] == [2, 1]
        assert 3590 < counts[0].seconds_left <= 3600
        assert 50 < counts[1].seconds_left <= 60

    @pytest.mark.usefixtures("patient")
    async def test_a_window_ends_in_redis_too(self, redis_server: RedisServer) -> None:
        (second,) = parse_rates("second", "10/second")
        async with replica(redis_server.url) as one:
            assert (await one.counters.hit([(second, "brief")]))[0].number == 1
            async with asyncio.timeout(10):
                while any("brief" in key for key in redis_server.stored()):
                    await asyncio.sleep(0.05)
            assert (await one.counters.hit([(second, "brief")]))[0].number == 1

    async def test_a_loop_that_stood_still_does_not_blame_redis(
        self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shared_counters, "GRACE_SECONDS", 5)
        async with replica(redis_server.url) as one:
            hit = asyncio.create_task(one.hit("still"))
            await asyncio.sleep(0)
            time.sleep(shared_counters.WAIT_SECONDS * 3)  # noqa: ASYNC251 (that is the fault)
            assert await hit == 1
            assert not one.is_alone


class TestAlone:
    async def test_without_redis_at_the_start(self, tmp_path: Path) -> None:
        one = Replica(RedisServer(tmp_path).url)
        with capture_logs() as lines:
            await one.look()
            assert [await one.hit("start") for _ in range(3)] == [1, 2, 3]
            await one.look()
        assert one.is_alone
        assert [line["event"] for line in lines] == ["limits.alone"]

    async def test_a_frozen_redis_is_waited_for_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with RedisServer(tmp_path) as server, capture_logs() as lines:
            async with replica(server.url) as one:
                assert await one.hit("frozen") == 1
                server.freeze()
                began = time.monotonic()
                numbers = await asyncio.gather(*(one.hit("frozen") for _ in range(50)))
                waited = time.monotonic() - began
                began = time.monotonic()
                numbers += [await one.hit("frozen") for _ in range(100)]
                later = time.monotonic() - began
                assert sorted(numbers) == list(range(1, 151))
                assert waited < 1  # 50 that each waited in turn would take 2.5 s
                assert later < 1  # and these 5 s
                assert one.is_alone
                await one.look()
                assert one.is_alone
                server.thaw()
                await one.until_back()
                monkeypatch.setattr(shared_counters, "WAIT_SECONDS", 5)
                assert await one.hit("thawed") == 1
                assert "glasswork:limits:search:3600:thawed" in server.stored()
        assert [line["event"] for line in lines] == ["limits.alone", "limits.shared"]

    async def test_the_first_to_lose_patience_speaks_for_all(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with RedisServer(tmp_path) as server:
            async with replica(server.url) as one:
                server.freeze()
                first = asyncio.create_task(one.hit("crowd"))
                await asyncio.sleep(0)
                monkeypatch.setattr(shared_counters, "WAIT_SECONDS", 60)
                async with asyncio.timeout(20):
                    numbers = await asyncio.gather(first, *(one.hit("crowd") for _ in range(9)))
        assert sorted(numbers) == list(range(1, 11))

    async def test_a_check_notices_before_any_request_has_to(self, tmp_path: Path) -> None:
        with RedisServer(tmp_path) as server:
            async with replica(server.url) as one:
                server.freeze()
                await one.look()
                assert one.is_alone

    @pytest.mark.usefixtures("patient")
    async def test_one_that_was_started_anew_is_found_again(self, tmp_path: Path) -> None:
        with RedisServer(tmp_path) as server:
            async with replica(server.url) as one:
                await one.hit("gone")
                server.end()
                assert [await one.hit("gone") for _ in range(3)] == [1, 2, 3]
                assert one.is_alone
                server.start()
                await one.until_back()
                assert await one.hit("gone") == 1  # Redis has kept nothing
                assert await one.hit("gone") == 2

    @pytest.mark.usefixtures("patient")
    async def test_one_that_takes_no_writes_is_away(self, tmp_path: Path) -> None:
        with RedisServer(tmp_path) as server:
            async with replica(server.url) as one:
                with redis.Redis.from_url(server.url) as client:
                    client.config_set("maxmemory", "1")
                assert await one.hit("full") == 1
                assert one.is_alone
                await one.look()
                assert one.is_alone
