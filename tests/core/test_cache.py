"""What is kept, for how long, and what becomes of it without Redis."""

import asyncio
import os
import pickle
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import redis
from pydantic import SecretStr
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from glasswork.core import cache as module
from glasswork.core.cache import Asked, Cache, Kept
from glasswork.core.telemetry.metrics import Metrics
from tests.redis_server import RedisServer, needs_redis

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVENING = NOON + timedelta(hours=6)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is not about time, on a machine that has other things to do."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 10)
    monkeypatch.setattr(module, "GIVE_UP_SECONDS", 10)


class Process:
    """One that asks for a number: of how many it has made before."""

    def __init__(self, url: str | None = None, workspace_id: UUID | None = None) -> None:
        self.metrics = Metrics()
        self.cache = Cache(None if url is None else SecretStr(url), self.metrics)
        self.workspace_id = workspace_id or uuid7()
        self.made = 0
        self.seq = 1
        self.until = EVENING
        self.may_make = asyncio.Event()
        self.may_make.set()

    async def ask(self, key: str = "a", now: datetime = NOON, seq: int | None = None) -> int:
        asked = Asked("summary", f"{self.workspace_id}:{key}", str(self.workspace_id), seq or self.seq, now)
        return await self.cache.fetch(Kept[int], asked, self._make)

    async def _make(self) -> Kept[int]:
        self.made += 1
        number, until = self.made, self.until
        await self.may_make.wait()
        return Kept(seq=self.seq, until=until, value=number)

    def counted(self, outcome: str) -> float:
        labels = {"cache": "summary", "outcome": outcome}
        return self.metrics.registry.get_sample_value("glasswork_cache_requests_total", labels) or 0

    async def in_memory(self) -> int:
        memory = self.cache._memory  # noqa: SLF001 (nothing else tells)
        assert memory is not None
        return await memory.get_keys_count()

    async def settled(self) -> None:
        """What no request waits for is done."""
        while unawaited := self.cache._unawaited:  # noqa: SLF001 (likewise)
            await asyncio.wait(unawaited)


@asynccontextmanager
async def process(url: str | None = None, workspace_id: UUID | None = None) -> AsyncIterator[Process]:
    made = Process(url, workspace_id)
    yield made
    await made.cache.aclose()


@pytest.fixture
async def alone() -> AsyncIterator[Process]:
    async with process() as made:
        yield made


class TestKept:
    async def test_is_found_again(self, alone: Process) -> None:
        assert [await alone.ask() for _ in range(3)] == [1, 1, 1]
        assert (alone.counted("miss"), alone.counted("hit"), alone.counted("error")) == (1, 2, 0)

    async def test_of_each_key_a_value(self, alone: Process) -> None:
        assert [await alone.ask(key) for key in "abab"] == [1, 2, 1, 2]

    async def test_does_not_answer_who_has_seen_a_later_event(self, alone: Process) -> None:
        await alone.ask()
        alone.seq = 2
        assert [await alone.ask(), await alone.ask()] == [2, 2]

    async def test_is_kept_under_the_event_that_it_was_made_after(self, alone: Process) -> None:
        alone.seq = 2  # something happens between the two statements
        assert await alone.ask(seq=1) == 1
        assert await alone.ask(seq=2) == 1

    async def test_holds_up_to_its_moment(self, alone: Process) -> None:
        await alone.ask()
        assert await alone.ask(now=EVENING - timedelta(microseconds=1)) == 1
        assert await alone.ask(now=EVENING) == 2

    async def test_is_freed_when_something_has_happened(self, alone: Process) -> None:
        for key in "abc":
            await alone.ask(key)
        alone.cache.drop(uuid7())
        await alone.settled()
        assert await alone.in_memory() == 4  # with the list of them
        alone.cache.drop(alone.workspace_id)
        await alone.settled()
        assert await alone.in_memory() <= 1
        assert await alone.ask("a") == 4

    async def test_takes_no_more_memory_than_it_may(
        self, alone: Process, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "KEPT", 10)
        for key in range(30):
            alone.workspace_id = uuid7()
            await alone.ask(str(key))
        assert await alone.in_memory() <= 10
        assert len(alone.cache._tags) <= 10  # noqa: SLF001 (likewise)


class TestStampede:
    async def test_one_makes_it_for_all(self, alone: Process) -> None:
        await alone.ask("another")
        assert await asyncio.gather(*(alone.ask() for _ in range(100))) == [2] * 100
        assert (alone.counted("miss"), alone.counted("hit")) == (2, 99)

    async def test_even_if_the_first_to_ask_has_gone(self, alone: Process) -> None:
        alone.may_make.clear()
        first = asyncio.create_task(alone.ask())
        while not alone.made:
            await asyncio.sleep(0)
        others = [asyncio.create_task(alone.ask()) for _ in range(9)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait({first})
        alone.may_make.set()
        assert await asyncio.gather(*others) == [1] * 9

    async def test_a_failure_is_told_to_all_and_not_kept(
        self, alone: Process, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail() -> Kept[int]:
            await asyncio.sleep(0)
            raise OSError

        with monkeypatch.context() as patch:
            patch.setattr(alone, "_make", fail)
            answers = await asyncio.gather(*(alone.ask() for _ in range(5)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [OSError] * 5
        assert await alone.ask() == 1

    async def test_what_was_begun_too_early_for_somebody_is_made_anew(self, alone: Process) -> None:
        alone.may_make.clear()
        first = asyncio.create_task(alone.ask())
        while not alone.made:
            await asyncio.sleep(0)
        second = asyncio.create_task(alone.ask(now=EVENING))
        await asyncio.sleep(0)
        alone.until = EVENING + timedelta(hours=1)
        alone.may_make.set()
        assert [await first, await second] == [1, 2]


@needs_redis
class TestShared:
    @pytest.mark.usefixtures("patient")
    async def test_what_one_process_made_others_find(self, redis_server: RedisServer) -> None:
        async with process(redis_server.url) as one, process(redis_server.url, one.workspace_id) as other:
            other.made = 100
            assert await one.ask() == 1
            await one.settled()
            assert [await other.ask(), await other.ask()] == [1, 1]
            assert other.counted("hit") == 2
            assert await other.ask(now=EVENING) == 101

    @pytest.mark.usefixtures("patient")
    async def test_is_freed_there_too(self, redis_server: RedisServer) -> None:
        async with process(redis_server.url) as one:
            await one.ask()
            await one.settled()
            assert any(str(one.workspace_id) in key for key in redis_server.stored())
            one.cache.drop(one.workspace_id)
            await one.settled()
            assert not any(str(one.workspace_id) in key for key in redis_server.stored())

    @pytest.mark.usefixtures("patient")
    async def test_ends_there_by_itself(self, redis_server: RedisServer) -> None:
        async with process(redis_server.url) as one:
            await one.ask()
            await one.settled()
            with redis.Redis.from_url(redis_server.url) as client:
                mine = [key for key in client.scan_iter() if str(one.workspace_id).encode() in key]
                assert {0 < client.ttl(key) <= 60 for key in mine} == {True}

    @pytest.mark.usefixtures("patient")
    @pytest.mark.parametrize(
        "found",
        [
            b"",
            b"1",
            b"bytes",
            b"bytes:",
            b"bytes:{}",
            b"bytes:\xff\xfe",
            b'bytes:{"seq": 1, "until": "2026-11-23T18:00:00Z", "value": "many"}',
            b'bytes:{"seq": 0, "until": "2026-11-23T18:00:00Z", "value": 7}',
            b'str:{"seq": 1, "until": "2026-11-23T18:00:00Z", "value": 7}',
        ],
    )
    async def test_what_is_not_ours_is_no_answer(self, redis_server: RedisServer, found: bytes) -> None:
        async with process(redis_server.url) as one:
            with redis.Redis.from_url(redis_server.url) as client:
                client.set(f"glasswork:cache:summary:{one.workspace_id}:a:1", found)
            one.made = 100
            assert await one.ask() == 101
            await one.settled()
        async with process(redis_server.url, one.workspace_id) as other:
            assert await other.ask() == 101

    @pytest.mark.usefixtures("patient")
    async def test_nothing_that_is_found_is_run(self, redis_server: RedisServer, tmp_path: Path) -> None:
        class Harm:
            def __reduce__(self) -> tuple[object, ...]:
                return os.mkdir, (str(tmp_path / "harm"),)

        written = pickle.dumps(Harm())
        async with process(redis_server.url) as one:
            for raw in (written, b"bytes:" + written):
                with redis.Redis.from_url(redis_server.url) as client:
                    client.set(f"glasswork:cache:summary:{one.workspace_id}:a:1", raw)
                assert await one.ask() == 1
        assert not (tmp_path / "harm").exists()

    @pytest.mark.usefixtures("patient")
    async def test_one_of_another_kind_is_an_error(self, redis_server: RedisServer) -> None:
        async with process(redis_server.url) as one:
            with redis.Redis.from_url(redis_server.url) as client:
                client.rpush(f"glasswork:cache:summary:{one.workspace_id}:a:1", "list")
            assert [await one.ask(), await one.ask()] == [1, 1]
            assert (one.counted("error"), one.counted("hit")) == (1, 1)


@needs_redis
class TestAlone:
    async def test_without_redis_at_the_start(self, tmp_path: Path) -> None:
        async with process(RedisServer(tmp_path).url) as one:
            with capture_logs() as lines:
                assert [await one.ask(key) for key in "aabb"] == [1, 1, 2, 2]
                await one.settled()
            assert (one.counted("error"), one.counted("miss"), one.counted("hit")) == (1, 1, 2)
        assert [line["event"] for line in lines] == ["cache.alone"]

    async def test_a_frozen_redis_is_waited_for_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "GIVE_UP_SECONDS", 60)
        with RedisServer(tmp_path) as server:
            async with process(server.url) as one:
                await one.ask()
                await one.settled()
                server.freeze()
                began = time.monotonic()
                numbers = await asyncio.gather(*(one.ask(f"at once {n}") for n in range(50)))
                numbers += [await one.ask(f"later {n}") for n in range(30)]
                waited = time.monotonic() - began
                assert sorted(numbers) == list(range(2, 82))
                assert waited < 1  # 30 that each waited would take 1.2 s
                server.thaw()

    async def test_one_that_dies_in_the_middle_and_comes_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "ALONE_SECONDS", 0.05)
        with RedisServer(tmp_path) as server, capture_logs() as lines:
            async with process(server.url) as one:
                await one.ask("before")
                await one.settled()
                server.end()
                assert [await one.ask("gone"), await one.ask("gone"), await one.ask("before")] == [2, 2, 1]
                one.cache.drop(one.workspace_id)
                await one.settled()
                server.start()
                async with asyncio.timeout(20):
                    while not server.stored():
                        await one.ask(str(uuid7()))
                        await one.settled()
                        await asyncio.sleep(0.05)
        assert [line["event"] for line in lines] == ["cache.alone", "cache.shared"]
