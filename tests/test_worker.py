"""`glasswork worker` beside a server, as processes."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import asyncpg
import pytest

from glasswork.core import embedded
from tests.factories.callers import PASSWORD
from tests.processes import PROGRAM, QUIET, Serving, run

HEARTBEAT = {"HEARTBEAT_SECONDS": "1"}


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """A server that leaves the jobs to others."""
    # Not pytest's: as root the embedded server runs as a user who may not enter that one.
    data_dir = Path(tempfile.mkdtemp(prefix="glasswork worker "))
    data_dir.chmod(0o755)
    with Serving(data_dir, "--no-worker") as serving:
        yield serving
    shutil.rmtree(data_dir)


@contextmanager
def worker(data_dir: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [PROGRAM, "worker", "--data-dir", str(data_dir)], env=os.environ | QUIET | environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def register(serving: Serving, name: str) -> None:
    body = {"email": f"{name}@example.com", "username": name, "name": name, "password": PASSWORD}
    assert serving.client.post("/api/v1/auth/register", json=body).status_code == 201


async def _letters(data_dir: Path) -> list[str]:
    with embedded.EmbeddedPostgres(data_dir) as server:
        url = server.url(embedded.OWNER_ROLE, embedded.DATABASE).replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        changed = asyncio.Event()
        await connection.add_listener("ch_pgqueuer", lambda *_: changed.set())
        while await connection.fetchval("SELECT count(*) FROM jobs.pgqueuer"):
            await changed.wait()
            changed.clear()
        rows = await connection.fetch("SELECT recipient FROM kept_mails ORDER BY job_id")
        await connection.close()
    return [row["recipient"] for row in rows]


def letters(data_dir: Path) -> list[str]:
    """Wait until all jobs are done, and return who was written to."""
    return asyncio.run(asyncio.wait_for(_letters(data_dir), timeout=30))


@contextmanager
def silent_smtp() -> Iterator[tuple[str, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}", listener


def test_a_worker_does_the_jobs_and_ends_when_it_is_told_to(serving: Serving) -> None:
    register(serving, "ada")
    with worker(serving.data_dir) as process:
        assert "ada@example.com" in letters(serving.data_dir)
        began = monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert monotonic() - began < 5
    assert serving.client.get("/ready").status_code == 200
    mail = run("mail", data_dir=serving.data_dir).stdout
    assert mail.startswith("To: ada@example.com\nSubject: Welcome to Glasswork\n\nHello ada,\n")


def test_the_job_of_a_worker_that_is_killed_is_done_by_another_one(serving: Serving) -> None:
    register(serving, "bob")
    with silent_smtp() as (url, listener):
        with worker(serving.data_dir, SMTP_URL=url, **HEARTBEAT) as killed:
            connection, _ = listener.accept()  # the job is in hand
            killed.kill()
            killed.wait()
        connection.close()
    with worker(serving.data_dir, **HEARTBEAT):
        assert letters(serving.data_dir).count("bob@example.com") == 1


def test_a_server_that_is_alone_does_the_jobs_and_gives_back_what_it_has_in_hand(data_dir: Path) -> None:
    with silent_smtp() as (url, listener), Serving(data_dir, SMTP_URL=url) as today:
        register(today, "ada")
        connection, _ = listener.accept()
        began = monotonic()
        assert today.stop() == 0
        assert monotonic() - began < 5
        connection.close()
    with Serving(data_dir):
        assert letters(data_dir) == ["ada@example.com"]
