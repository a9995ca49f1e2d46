"""One frame for all viewers, and none without."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from glasswork.core import frames as module
from glasswork.core.frames import MAX_VIEWERS, Frames, TooManyViewersError

pytestmark = pytest.mark.anyio


class Made:
    """Counts how often somebody made one."""

    def __init__(self) -> None:
        self.number = 0

    async def __call__(self) -> int:
        self.number += 1
        return self.number


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)


async def test_all_viewers_see_the_same_one() -> None:
    frames = Frames(Made())
    async with frames.watching() as one, frames.watching() as other:
        seen = await asyncio.gather(anext(one), anext(other))
    assert seen[0] == seen[1]


async def test_without_a_viewer_none_is_made() -> None:
    made = Made()
    frames = Frames(made)
    await asyncio.sleep(0.05)
    assert made.number == 0
    async with frames.watching() as seen:
        await anext(seen)
    before = made.number
    await asyncio.sleep(0.05)
    assert made.number == before
    async with frames.watching() as seen:
        assert await anext(seen) == f"data: {before + 1}\n\n".encode()


async def test_there_are_at_most_so_many() -> None:
    frames = Frames(Made())

    async def watch(depth: int) -> None:
        async with frames.watching():
            if depth:
                await watch(depth - 1)
            else:
                with pytest.raises(TooManyViewersError):
                    await frames.watching().__aenter__()

    await watch(MAX_VIEWERS - 1)
    async with frames.watching() as seen:  # a place is free again
        assert await anext(seen)


async def test_one_that_cannot_be_made_ends_nothing() -> None:
    class Sometimes(Made):
        async def __call__(self) -> int:
            if await super().__call__() == 1:
                raise RuntimeError
            return self.number

    frames = Frames(Sometimes())
    async with frames.watching() as seen:
        assert await _first(seen, 2) == [b": failed\n\n", b"data: 2\n\n"]


async def test_when_the_server_stops_all_streams_end() -> None:
    frames = Frames(Made())
    async with frames.watching() as one, frames.watching() as other:
        await anext(one)
        frames.end()
        for seen in (one, other):
            async with asyncio.timeout(10):
                assert [frame async for frame in seen] == []
    async with frames.watching() as late:
        with pytest.raises(StopAsyncIteration):
            await anext(late)


async def _first(seen: AsyncIterator[bytes], number: int) -> list[bytes]:
    return [await anext(seen) for _ in range(number)]
