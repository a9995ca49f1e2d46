"""One process at a time adds to the stream, and what it has added and where it is are one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import redis

from glasswork.core import event_stream
from glasswork.core.event_stream import Entry, EventStream, StreamAddress, StreamAwayError
from tests.event_streams import NAME, firsts, numbers, published
from tests.redis_server import RedisServer, needs_redis

WORKSPACE = uuid4()


def entry(seq: int, workspace_id: UUID = WORKSPACE, change: str = "{}") -> Entry:
    return Entry(workspace_id, seq, "task.updated", uuid4(), "request-1", "", change)


class TestAddress:
    @pytest.mark.parametrize(
        "text",
        [
            "localhost:6379",
            "http://localhost:6379/0",
            "redis:///0",
            "unix:///run/redis.sock",
            "redis://localhost/glasswork",
            "redis://localhost?stream=",
            "redis://localhost?stream=a b",
            "redis://localhost?maxlen=many",
            "redis://localhost?maxlen=0",
            "redis://localhost?socket_timeout=100",
        ],
    )
    def test_that_is_none_is_refused_and_not_repeated(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"must|takes") as refusal:
            StreamAddress.parse(text.replace("localhost", "ada:otter@localhost"))
        assert "otter" not in str(refusal.value)

    def test_has_defaults(self) -> None:
        url = "redis://localhost:6379/0"
        assert StreamAddress.parse(url) == (url, "glasswork:events", 1_000_000)

    def test_may_say_more(self) -> None:
        text = "rediss://:otter@localhost:6380/2?stream=ours&maxlen=5000&ssl_ca_certs=%2Fca.pem"
        url = "rediss://:otter@localhost:6380/2?ssl_ca_certs=%2Fca.pem"
        assert StreamAddress.parse(text) == (url, "ours", 5000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
async def one(server: RedisServer) -> AsyncIterator[EventStream]:
    async with aclosing(EventStream(StreamAddress.parse(server.url))) as stream:
        yield stream


@pytest.fixture
async def other(server: RedisServer) -> AsyncIterator[EventStream]:
    async with aclosing(EventStream(StreamAddress.parse(server.url))) as stream:
        yield stream


@needs_redis
@pytest.mark.anyio
class TestStream:
    async def test_is_added_to_by_who_holds_it(
        self, server: RedisServer, one: EventStream, other: EventStream
    ) -> None:
        assert await one.take() == {}
        assert await other.take() is None
        assert not await other.add([entry(1)])
        assert published(server) == []
        first, second = entry(1), entry(2, change='{"a": "ä"}')._replace(traceparent="00-1-2-01")
        assert await one.add([first])
        assert await one.add([second])
        shown = [{name: str(value) for name, value in each._asdict().items()} for each in (first, second)]
        assert published(server) == shown

    async def test_is_handed_on_with_where_it_is(
        self, server: RedisServer, one: EventStream, other: EventStream
    ) -> None:
        elsewhere = uuid4()
        await one.take()
        assert await one.add([entry(1), entry(2), entry(1, elsewhere)])
        await other.release()  # it is not theirs
        assert await other.take() is None
        await one.release()
        assert await other.take() == {WORKSPACE: 2, elsewhere: 1}
        assert not await one.add([entry(3)])
        assert await other.add([entry(3)])
        assert numbers(published(server)) == {WORKSPACE: [1, 2, 3], elsewhere: [1]}

    async def test_is_free_again_when_who_held_it_gives_no_sign(
        self, server: RedisServer, one: EventStream, other: EventStream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_stream, "HELD_SECONDS", 3600)
        await one.take()
        assert await one.add([])
        with redis.Redis.from_url(server.url) as client:
            assert 3_500_000 < client.pttl(f"{NAME}:publisher") <= 3_600_000
            client.pexpire(f"{NAME}:publisher", 0)
        assert await other.take() == {}
        assert not await one.add([entry(1)])

    async def test_that_was_emptied_is_no_longer_held(self, server: RedisServer, one: EventStream) -> None:
        await one.take()
        assert await one.add([entry(1)])
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        assert not await one.add([entry(2)])
        assert published(server) == []
        assert await one.take() == {}

    async def test_that_was_put_back_says_what_it_lacks(self, server: RedisServer, one: EventStream) -> None:
        await one.take()
        assert await one.add([entry(1)])
        with redis.Redis.from_url(server.url) as client:
            client.save()
        assert await one.add([entry(2), entry(3)])
        server.end()
        server.start()
        with pytest.raises(StreamAwayError):
            await one.add([entry(4)])
        assert not await one.add([entry(4)])
        assert await one.take() == {WORKSPACE: 1}
        assert await one.add([entry(2), entry(3), entry(4)])
        assert firsts(published(server)) == {WORKSPACE: [1, 2, 3, 4]}

    async def test_keeps_the_newest(self, server: RedisServer) -> None:
        address = StreamAddress.parse(f"{server.url}?stream=short&maxlen=1000")
        async with aclosing(EventStream(address)) as stream:
            assert await stream.take() == {}
            assert await stream.add([entry(seq) for seq in range(1, 3001)])
        kept = numbers(published(server, "short"))[WORKSPACE]
        assert 1000 <= len(kept) < 1200
        assert kept[-1] == 3000

    async def test_that_cannot_be_written_has_nothing_of_it(
        self, server: RedisServer, one: EventStream
    ) -> None:
        await one.take()
        with redis.Redis.from_url(server.url) as client:
            client.set(NAME, "no stream")
            with pytest.raises(StreamAwayError, match="ResponseError"):
                await one.add([entry(1), entry(2)])
            client.delete(NAME)
        assert await one.take() == {}

    async def test_that_is_full_takes_all_or_nothing(self, server: RedisServer, one: EventStream) -> None:
        await one.take()
        assert await one.add([entry(1)])
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "1mb")
            with pytest.raises(StreamAwayError, match="OutOfMemoryError"):
                await one.add([entry(2), entry(3)])
            client.config_set("maxmemory", "0")
        assert await one.take() == {WORKSPACE: 1}
        assert await one.add([entry(2), entry(3)])
        assert numbers(published(server)) == {WORKSPACE: [1, 2, 3]}

    async def test_with_another_password_is_away(self, server: RedisServer) -> None:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", "otter")
        for password in ("", ":badger@"):
            url = server.url.replace("redis://", f"redis://{password}")
            async with aclosing(EventStream(StreamAddress.parse(url))) as stream:
                with pytest.raises(StreamAwayError, match="AuthenticationError"):
                    await stream.take()
        url = server.url.replace("redis://", "redis://:otter@")
        async with aclosing(EventStream(StreamAddress.parse(url))) as stream:
            assert await stream.take() == {}

    @pytest.mark.parametrize("fault", ["frozen", "ended"])
    async def test_that_does_not_answer_is_away_and_what_was_sent_comes_too_late(
        self, server: RedisServer, one: EventStream, fault: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_stream, "ANSWER_SECONDS", 1)
        async with aclosing(EventStream(StreamAddress.parse(server.url))) as hasty:
            await hasty.take()
            if fault == "frozen":
                server.freeze()
            else:
                server.end()
            with pytest.raises(StreamAwayError):
                async with asyncio.timeout(20):
                    await hasty.add([entry(1)])
            if fault == "frozen":
                server.thaw()
            else:
                server.start()
            await hasty.release()
        seen = await one.take()
        assert seen is not None
        assert await one.add([entry(seq) for seq in (1, 2) if seq > seen.get(WORKSPACE, 0)])
        assert numbers(published(server)) == {WORKSPACE: [1, 2]}
