"""Runners in the test's own loop, on a database where commits are commits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from pydantic import BaseModel
from sqlalchemy import RowMapping, text

from glasswork.core.db import Database, open_database
from glasswork.core.jobs import Job
from glasswork.core.outbox import Outbox, Subscribers
from glasswork.core.runner import Recurring, Runner
from glasswork.core.telemetry.logs import configure_logs
from tests.conftest import make_settings
from tests.databases import SERVING, Server

SECONDS = 40
"""In which whatever a test waits for must have happened."""


MAKE_STALE = "UPDATE jobs.pgqueuer SET heartbeat = now() - interval '1 hour'"
"""As if the worker of every job had died."""


class Note(BaseModel):
    text: str


HELLO = Note(text="hello")


@asynccontextmanager
async def open_clone(
    server: Server, subscribers: Subscribers | None = None, **settings: object
) -> AsyncIterator[Database]:
    async with server.used_clone() as name:
        made = make_settings(server.url(SERVING, name), **settings)
        configure_logs(made, "worker")
        async with open_database(made, subscribers or {}) as database:
            yield database


@asynccontextmanager
async def working(
    database: Database,
    *jobs: Job[Any],
    schedule: Sequence[Recurring] = (),
    resources: Any = None,
    finish_seconds: float = SECONDS,
    heartbeat_seconds: float = 3,
) -> AsyncIterator[Runner]:
    """It works until the end of the block, and has stopped after it."""
    runner = Runner(database, jobs, schedule, resources, finish_seconds, heartbeat_seconds)
    task = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(SECONDS):
            yield runner
    finally:
        runner.stop.set()
        async with asyncio.timeout(SECONDS):
            await task


async def order(
    database: Database, job: Job[Any], payload: BaseModel = HELLO, dedupe_key: str | None = None
) -> int:
    """Return the job's id."""
    async with database.transaction() as session:
        Outbox(session).order(job, payload, dedupe_key)
    newest: int = (await fetch(database, "SELECT max(id) AS id FROM jobs.pgqueuer"))[0]["id"]
    return newest


async def fetch(database: Database, query: str, **binds: object) -> Sequence[RowMapping]:
    async with database.reading() as session:
        return (await session.execute(text(query), binds)).mappings().all()


async def execute(database: Database, statement: str, **binds: object) -> None:
    async with database.transaction() as session:
        await session.execute(text(statement), binds)


async def jobs_of(database: Database) -> list[RowMapping]:
    query = "SELECT id, entrypoint, status::text, attempts FROM jobs.pgqueuer ORDER BY id"
    return list(await fetch(database, query))


async def history(database: Database, job_id: int) -> list[str]:
    query = "SELECT status::text FROM jobs.pgqueuer_log WHERE job_id = :id ORDER BY id"
    return [row["status"] for row in await fetch(database, query, id=job_id)]


async def until_done(database: Database, job_id: int) -> None:
    url = database.direct_url.set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    changed = asyncio.Event()
    await connection.add_listener("ch_pgqueuer", lambda *_: changed.set())
    while any(job["id"] == job_id for job in await jobs_of(database)):
        await changed.wait()
        changed.clear()
    await connection.close()
