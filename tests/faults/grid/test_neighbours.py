"""What lies beside the database fails: Redis, and the mail server."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import redis

from .cells import Cells
from .effects import Comment
from .meeting import everybody, meet, tell
from .stage import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.grid, pytest.mark.timeout(300)]

Fault = Callable[[Stage], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def redis_refuses(stage: Stage) -> AsyncIterator[None]:
    await stage.to_redis.refuse()
    yield
    await stage.to_redis.heal()


@asynccontextmanager
async def redis_is_slow(stage: Stage) -> AsyncIterator[None]:
    stage.to_redis.latency = 2
    yield
    await stage.to_redis.heal()


@asynccontextmanager
async def redis_is_frozen(stage: Stage) -> AsyncIterator[None]:
    stage.redis.freeze()
    yield
    stage.redis.thaw()


@asynccontextmanager
async def redis_is_full(stage: Stage) -> AsyncIterator[None]:
    with redis.Redis.from_url(stage.redis.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        yield
        client.config_set("maxmemory", "0")


@pytest.mark.fault("F7")
@pytest.mark.parametrize("fault", [redis_refuses, redis_is_slow, redis_is_frozen, redis_is_full])
async def test_nobody_is_told_that_redis_is_away(stage: Stage, cells: Cells, fault: Fault) -> None:
    async with everybody(stage) as journeys:
        trails = await meet(journeys, fault(stage), 4)
        await tell(cells, trails)


@asynccontextmanager
async def mail_is_refused(stage: Stage) -> AsyncIterator[None]:
    await stage.to_mail.refuse()
    yield
    await stage.to_mail.heal()


@asynccontextmanager
async def mail_is_silent(stage: Stage) -> AsyncIterator[None]:
    stage.to_mail.freeze()
    yield
    await stage.to_mail.heal()


@pytest.mark.fault("F8")
@pytest.mark.parametrize("fault", [mail_is_refused, mail_is_silent])
async def test_letters_wait_until_the_mail_server_is_back(stage: Stage, cells: Cells, fault: Fault) -> None:
    async with everybody(stage) as journeys:
        (comment,) = (each for each in journeys if isinstance(each, Comment))
        trails = await meet(journeys, fault(stage), 5)
        assert len(comment.ledger.done) >= 5
        await tell(cells, trails)
