"""What other services read of the stream in Redis."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

import redis
from sqlalchemy import text

from glasswork.core.db import Database
from tests.redis_server import RedisServer

NAME = "glasswork:events"
PATIENCE = 30


def published(server: RedisServer, name: str = NAME) -> list[dict[str, str]]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        return [fields for _, fields in client.xrange(name)]


def numbers(entries: Sequence[Mapping[str, str]]) -> dict[UUID, list[int]]:
    """By workspace, in the order of the stream."""
    found = defaultdict(list)
    for entry in entries:
        found[UUID(entry["workspace_id"])].append(int(entry["seq"]))
    return dict(found)


def firsts(entries: Sequence[Mapping[str, str]]) -> dict[UUID, list[int]]:
    """Without those that came before."""
    return {each: list(dict.fromkeys(seqs)) for each, seqs in numbers(entries).items()}


async def log_of(database: Database) -> dict[UUID, list[int]]:
    """All that there is to publish."""
    async with database.reading() as session:
        rows = await session.execute(text("SELECT workspace_id, last_seq FROM event_counters"))
        return {row.workspace_id: list(range(1, row.last_seq + 1)) for row in rows}


async def until_all_is_published(server: RedisServer, database: Database, seconds: float = PATIENCE) -> None:
    """Whether more than once, or in which order, is the test's to say."""
    wanted = {each: set(seqs) for each, seqs in (await log_of(database)).items()}
    async with asyncio.timeout(seconds):
        while {each: set(seqs) for each, seqs in _numbers_now(server).items()} != wanted:
            await asyncio.sleep(0.05)


def _numbers_now(server: RedisServer) -> dict[UUID, list[int]]:
    try:
        return numbers(published(server))
    except redis.ConnectionError:  # it is just starting
        return {}
