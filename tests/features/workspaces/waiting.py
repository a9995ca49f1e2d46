"""Races without luck: one use case holds its locks while a request runs into them."""

from asyncio import Task, create_task
from collections.abc import Coroutine
from typing import Any

from httpx2 import Response
from sqlalchemy import text

from glasswork.core.db import Database

_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def start(database: Database, request: Coroutine[Any, Any, Response]) -> Task[Response]:
    """Return when the request waits for a lock, or needed none and is answered."""
    answer = create_task(request)
    async with database.reading() as session:
        while not answer.done() and (await session.execute(_WAITING)).scalar_one() == 0:
            pass
    return answer
