"""Jobs from the queue: welcome mails to an SMTP sink, from the start of the worker to the last one there.

The ceiling is a bare program on asyncpg that does the same with the queue and for each letter, in batches.
A process of its own, since it is what is measured: `python bench/drain.py URL POSTMASTER worker` or `hand`.
"""

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter, process_time
from typing import Any

import asyncpg
import msgspec
from aiosmtpd.smtp import SMTP
from aiosmtplib import SMTP as Client  # noqa: N811 (both ends have the name)
from cores import LOAD, MEASURED, on_core
from measure import children, cpu_seconds
from pydantic import SecretStr
from recording import JWT_SECRET
from stand import ACTOR, plain
from uuid_utils.compat import uuid7
from work import Work

from glasswork.core.db import Database, open_database
from glasswork.core.jobs import EventRef
from glasswork.core.outbox import Outbox
from glasswork.core.outgoing import open_outgoing
from glasswork.core.settings import Settings
from glasswork.core.telemetry import logs
from glasswork.core.telemetry.signals import Signals
from glasswork.features.credentials.jobs import SEND_WELCOME
from glasswork.worker import SUBSCRIBERS, create_runner

MAILS = 1_000
BATCH = 10
CLAIM = """
    WITH claimed AS (
        UPDATE jobs.pgqueuer SET status = 'picked', updated = now(), heartbeat = now() WHERE id IN (
            SELECT id FROM jobs.pgqueuer WHERE status = 'queued' AND execute_after < now()
            ORDER BY priority DESC, id LIMIT $1 FOR UPDATE SKIP LOCKED
        ) RETURNING id, priority, entrypoint, payload
    ), log AS (
        INSERT INTO jobs.pgqueuer_log (job_id, status, entrypoint, priority)
        SELECT id, 'picked', entrypoint, priority FROM claimed
    )
    SELECT id FROM claimed
"""
RECIPIENT = "SELECT email, name FROM users WHERE id = $1 AND is_active AND email_verified_at IS NULL"
ISSUE = """
    INSERT INTO one_time_tokens (token_hash, user_id, purpose, expires_at)
    VALUES ($1, $2, 'verify_email', now() + interval '1 day')
"""
FINISH = """
    WITH done AS (DELETE FROM jobs.pgqueuer WHERE id = ANY ($1) RETURNING id, priority, entrypoint)
    INSERT INTO jobs.pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, 'successful', entrypoint, priority FROM done
"""

Drain = Callable[[str, str], Awaitable[None]]


async def drain(url: str, postmaster: int, empty_queue: Drain) -> Work:
    """Return what it costs to do as many jobs as there are ordered first."""
    with sink() as (port, is_full):
        await _order(url)
        database = cpu_seconds([postmaster, *children(postmaster)])
        began, cpu = perf_counter(), process_time()
        emptying = asyncio.ensure_future(empty_queue(url, f"smtp://127.0.0.1:{port}"))
        full = asyncio.ensure_future(asyncio.to_thread(is_full))
        await asyncio.wait({emptying, full}, return_when=asyncio.FIRST_COMPLETED)
        if emptying.done():
            emptying.result()
        await full
        seconds, used = perf_counter() - began, process_time() - cpu
        database = cpu_seconds([postmaster, *children(postmaster)]) - database
        emptying.cancel()
        await asyncio.gather(emptying, return_exceptions=True)
    return Work(MAILS, MAILS / seconds, used / MAILS * 1e6, database / MAILS * 1e6)


async def by_worker(url: str, smtp_url: str) -> None:
    """Until it is cancelled."""
    settings = _settings(url, smtp_url)
    signals = Signals("worker", logs.configure_logs(settings, "worker"))
    async with (
        open_database(settings, SUBSCRIBERS, signals) as database,
        open_outgoing((), signals) as outgoing,
    ):
        await create_runner(settings, database, outgoing, signals, finish_seconds=1).run()


async def by_hand(url: str, smtp_url: str) -> None:
    """Likewise: so PostgreSQL's process stays, and can be asked what it took."""
    connection = await asyncpg.connect(plain(url))
    host, _, port = smtp_url.removeprefix("smtp://").partition(":")
    async with Client(hostname=host, port=int(port)) as client:
        while jobs := await connection.fetch(CLAIM, BATCH):
            for _ in jobs:
                (user,) = await connection.fetch(RECIPIENT, ACTOR.user_id)
                token = secrets.token_hex()
                await connection.execute(ISSUE, sha256(token.encode()).hexdigest(), ACTOR.user_id)
                await client.send_message(_letter(user["email"], user["name"], token))
            await connection.execute(FINISH, [job["id"] for job in jobs])
        await asyncio.Event().wait()


def _letter(to: str, name: str, token: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "bench@example.com", to, "Welcome"
    letter.set_content(f"Hello {name},\n\nyour token is {token}.\n" + "As many words as ours has. " * 12)
    return letter


async def _order(url: str) -> None:
    async with open_database(_settings(url), SUBSCRIBERS) as database:
        await _order_mails(database)


async def _order_mails(database: Database) -> None:
    async with database.transaction() as session:
        outbox = Outbox(session)
        for _ in range(MAILS):
            reference = EventRef(id=uuid7(), workspace_id=None, subject_id=ACTOR.user_id)
            outbox.order(SEND_WELCOME, reference)


def _settings(url: str, smtp_url: str | None = None) -> Settings:
    return Settings(
        database_url=SecretStr(url),
        jwt_secret=SecretStr(JWT_SECRET),
        log_format="json",
        smtp_url=SecretStr(smtp_url) if smtp_url else None,
    )


@contextmanager
def sink() -> Iterator[tuple[int, Callable[[], object]]]:
    """Yield the port of an SMTP server in a process of its own, and what returns when it is full."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_take, args=(theirs, MAILS), daemon=True)
    with on_core(LOAD):
        process.start()
    theirs.close()
    try:
        yield ours.recv(), ours.recv
    finally:
        process.terminate()
        process.join()


class _Counter:
    def __init__(self, pipe: Connection, expected: int) -> None:
        self._pipe, self._left = pipe, expected

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        self._left -= 1
        if not self._left:
            self._pipe.send("full")
        return "250 OK"


def _take(pipe: Connection, expected: int) -> None:
    async def serve() -> None:
        counter = _Counter(pipe, expected)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(counter), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    url, postmaster, how = sys.argv[1:]
    with on_core(MEASURED):
        work = asyncio.run(drain(url, int(postmaster), by_worker if how == "worker" else by_hand))
    print(msgspec.json.encode(work).decode())
