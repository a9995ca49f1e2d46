"""Jobs from the queue: welcome mails to an SMTP sink, by `glasswork worker` and by `drain_by_hand.py`."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

from aiosmtpd.smtp import SMTP
from cores import LOAD, MEASURED, on_core
from measure import children, cpu_seconds
from pydantic import SecretStr
from servers import ALL_SIGNALS, PROGRAM
from stand import ACTOR, plain
from uuid_utils.compat import uuid7
from work import Work

from glasswork.core.db import Database, open_database
from glasswork.core.jobs import EventRef
from glasswork.core.outbox import Outbox
from glasswork.core.settings import Settings
from glasswork.features.credentials.jobs import SEND_WELCOME
from glasswork.worker import SUBSCRIBERS

WARM_UP, MAILS = 50, 1_000
MOST_SECONDS = 300
BY_HAND = Path(__file__).with_name("drain_by_hand.py")


async def drain_by_worker(url: str, postmaster: int, collector: str) -> Work:
    with sink() as (port, arrive):
        environment = {
            "DATABASE_URL": url,
            "SMTP_URL": f"smtp://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            **ALL_SIGNALS,
        }
        with _running([PROGRAM, "worker"], environment) as pid:
            return await _measure(url, postmaster, pid, arrive)


async def drain_by_hand(url: str, postmaster: int) -> Work:
    with sink() as (port, arrive), _running([sys.executable, str(BY_HAND), plain(url), str(port)], {}) as pid:
        return await _measure(url, postmaster, pid, arrive)


async def _measure(url: str, postmaster: int, pid: int, arrive: Callable[[], object]) -> Work:
    settings = Settings(database_url=SecretStr(url), jwt_secret=SecretStr(ALL_SIGNALS["JWT_SECRET"]))
    async with open_database(settings, SUBSCRIBERS) as database:
        await _order(database, WARM_UP)
        arrive()
        await _order(database, MAILS)
        began, before = perf_counter(), _cpu(postmaster, pid)
        arrive()
        seconds, after = perf_counter() - began, _cpu(postmaster, pid)
    app, of_database = (end - start for start, end in zip(before, after, strict=True))
    return Work(MAILS, MAILS / seconds, app / MAILS * 1e6, of_database / MAILS * 1e6)


def _cpu(postmaster: int, pid: int) -> tuple[float, float]:
    return cpu_seconds([pid]), cpu_seconds([postmaster, *children(postmaster)])


async def _order(database: Database, mails: int) -> None:
    async with database.transaction() as session:
        outbox = Outbox(session)
        for _ in range(mails):
            reference = EventRef(id=uuid7(), workspace_id=None, subject_id=ACTOR.user_id)
            outbox.order(SEND_WELCOME, reference)


@contextmanager
def _running(command: Sequence[str], environment: dict[str, str]) -> Iterator[int]:
    with tempfile.TemporaryFile() as log, on_core(MEASURED):
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def sink() -> Iterator[tuple[int, Callable[[], object]]]:
    """Yield the port of an SMTP server, and what returns when the next so many mails have come there."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_take, args=(theirs,), daemon=True)
    with on_core(LOAD):
        process.start()

    def arrive() -> None:
        assert ours.poll(MOST_SECONDS), "the mails do not come"
        ours.recv()

    try:
        yield ours.recv(), arrive
    finally:
        process.terminate()
        process.join()


class _Counter:
    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._taken = pipe, 0

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        self._taken += 1
        if self._taken in {WARM_UP, WARM_UP + MAILS}:
            self._pipe.send(self._taken)
        return "250 OK"


def _take(pipe: Connection) -> None:
    async def serve() -> None:
        counter = _Counter(pipe)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(counter), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())
