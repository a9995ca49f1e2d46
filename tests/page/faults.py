"""Twenty things that go wrong, each for real, and what an operator must see of it at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from sqlalchemy import text
from starlette.responses import StreamingResponse

from glasswork.core.db import Database
from glasswork.core.jobs import Job, Nothing, Work
from glasswork.core.outbox import Outbox

POOL_SIZE = 3

Handler = Callable[[Request], Coroutine[Any, Any, Any]]


def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def asks(statement: str, *before: str) -> Handler:
    async def handler(request: Request) -> None:
        async with database_of(request).transaction() as session:
            for each in (*before, statement):
                await session.execute(text(each))

    return handler


def fails_with(state: str) -> Handler:
    return asks(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")


def orders(job: Job[Nothing]) -> Handler:
    async def handler(request: Request) -> None:
        async with database_of(request).transaction() as session:
            Outbox(session).order(job, Nothing())

    return handler


async def wait_for_lock(request: Request) -> None:
    async with database_of(request).engine.connect() as holder:
        await holder.execute(text("SELECT id FROM users FOR UPDATE"))
        waiter = asyncio.create_task(asks("UPDATE users SET name = name")(request))
        await asyncio.wait({waiter}, timeout=1.2)
        await holder.rollback()
        await waiter


async def ask_again_and_again(request: Request) -> None:
    async with database_of(request).reading() as session:
        for number in range(40):
            await session.execute(text("SELECT name FROM users WHERE version = :number"), {"number": number})


async def use_up_the_pool(request: Request) -> None:
    async def hold() -> None:
        async with database_of(request).engine.connect():
            await asyncio.sleep(2.5)

    holding = [asyncio.create_task(hold()) for _ in range(POOL_SIZE)]
    await asyncio.sleep(0.1)
    try:
        await asks("SELECT 1")(request)
    finally:
        await asyncio.wait(holding)


async def deadlock(request: Request) -> None:
    async def lock(first: int, second: int) -> None:
        async with database_of(request).transaction() as session:
            for number in (first, second):
                await session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
                await asyncio.sleep(0.1)

    await asyncio.gather(lock(1, 2), lock(2, 1))


async def be_terminated(request: Request) -> None:
    async with database_of(request).transaction() as session:
        await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


async def stumble(_: Request) -> str:
    holts: dict[str, str] = {}
    return holts["an otter"]


async def block_the_loop(_: Request) -> None:
    time.sleep(0.8)  # noqa: ASYNC251 (that is the fault)


async def dawdle(_: Request) -> None:
    await asyncio.sleep(1.2)


async def drip(_: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"otter"
            await asyncio.sleep(0.1)

    return StreamingResponse(parts())


async def break_off(_: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"otter"
        raise ValueError

    return StreamingResponse(parts())


async def fail(work: Work, _: Nothing) -> None:
    """The first time; put back, it does what it must."""
    if work.id not in _failed:
        _failed.add(work.id)
        raise ConnectionError


async def ask_slowly(work: Work, _: Nothing) -> None:
    async with work.once() as session:
        await session.execute(text("SELECT pg_sleep(1.2), 'job'"))


_failed: set[int] = set()

FAILING = Job("test.failing", Nothing, fail, max_attempts=1)
SLOW = Job("test.slow", Nothing, ask_slowly)
JOBS = (FAILING, SLOW)


@dataclass(frozen=True)
class Fault:
    name: str
    seen: str
    """A part of the sentence on top."""
    handler: Handler | None = None
    """None: it happens to a route of the API."""
    sql: str | None = None
    """A part of the statement that must be in sight."""
    method: str = "POST"
    path: str = ""
    body: Any = None
    leaves: bool = False
    """The caller goes away in the middle of the answer."""

    @property
    def url(self) -> str:
        return self.path or f"/faults/{self.name.replace(' ', '-')}"


FAULTS = (
    Fault("slow query", "SELECT", asks("SELECT pg_sleep(1.2)"), "pg_sleep(1.2)"),
    Fault("lock wait", "UPDATE users", wait_for_lock, "UPDATE users SET name = name"),
    Fault("statement in a loop", "40 statements of one shape", ask_again_and_again, "WHERE version ="),
    Fault("pool exhausted", "waited in vain for a connection of the pool", use_up_the_pool),
    Fault("exception", "KeyError", stumble),
    Fault("missing table", "42P01", asks("SELECT * FROM otters"), "FROM otters"),
    Fault("blocked loop", "The event loop stood still", block_the_loop),
    Fault(
        "statement timeout",
        "its time limit (57014)",
        asks("SELECT pg_sleep(9)", "SET LOCAL statement_timeout = '200ms'"),
        "pg_sleep(9)",
    ),
    Fault("deadlock", "a deadlock (40P01)", deadlock, "pg_advisory_xact_lock"),
    Fault("serialisation failure", "a serialisation failure (40001)", fails_with("40001"), "RAISE EXCEPTION"),
    Fault("missing value", "23502", asks("UPDATE users SET name = NULL"), "UPDATE users SET name"),
    Fault("lost connection", "failed", be_terminated, "pg_terminate_backend"),
    Fault("own time", "outside of the database", dawdle),
    Fault("answer broken off", "ValueError", break_off),
    Fault("caller who leaves", "The caller had gone", drip, leaves=True),
    Fault("failing job", "ConnectionError", orders(FAILING)),
    Fault("slow job", "SELECT", orders(SLOW), "pg_sleep(1.2), 'job'"),
    Fault(
        "unreachable mail server",
        "send mail failed",
        path="/api/v1/auth/register",
        body={
            "email": "bob@example.com",
            "username": "bob",
            "name": "Bob",
            "password": "tremendous otter 78",
        },
    ),
    Fault(
        "refused input",
        "VALIDATION_ERROR",
        path="/api/v1/auth/register",
        body={"email": "no address", "username": "bob", "name": "Bob", "password": "x"},
    ),
    Fault("nobody there", "INVALID_TOKEN", method="GET", path="/api/v1/users/me"),
)


def install(app: FastAPI) -> None:
    for fault in FAULTS:
        if fault.handler is not None:
            app.add_api_route(fault.url, fault.handler, methods=[fault.method], include_in_schema=False)
