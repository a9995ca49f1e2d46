import asyncio
from contextlib import suppress

import pytest

from glasswork.core import tasks
from glasswork.core.tasks import end

pytestmark = pytest.mark.anyio


async def go_on(swallowed: int) -> None:
    """For ever, but for so many cancellations and one more."""
    for _ in range(swallowed):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


@pytest.mark.parametrize("swallowed", [0, 1, 3])
async def test_one_that_swallows_cancellations_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch, swallowed: int
) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)
    task = asyncio.create_task(go_on(swallowed))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(task)
    assert task.cancelled()


async def test_what_one_raised_is_raised() -> None:
    async def fail() -> None:
        raise RuntimeError

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await end(task)
