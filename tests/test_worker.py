"""`glasswork worker` beside a server, as processes."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import asyncpg

from glasswork.core import embedded
from tests.factories.callers import PASSWORD
from tests.processes import PROGRAM, QUIET, Serving, run

HEARTBEAT = {"HEARTBEAT_SECONDS": "1"}


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


async def until_queue_is_empty(data_dir: Path) -> None:
    with embedded.EmbeddedPostgres(data_dir) as server:
        url = server.url(embedded.OWNER_ROLE, embedded.DATABASE).replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        changed = asyncio.Event()
        await connection.add_listener("ch_pgqueuer", lambda *_: changed.set())
        while await connection.fetchval("SELECT count(*) FROM jobs.pgqueuer"):
            await changed.wait()
            changed.clear()
        await connection.close()


def wait_for_jobs(data_dir: Path) -> None:
    asyncio.run(asyncio.wait_for(until_queue_is_empty(data_dir), timeout=20))


def letters(data_dir: Path) -> list[str]:
    """Return who was written to."""
    lines = run("mail", data_dir=data_dir).stdout.splitlines()
    return [line.removeprefix("To: ") for line in lines if line.startswith("To: ")]


def test_a_worker_beside_the_server_does_its_jobs_and_ends_when_it_is_told_to(data_dir: Path) -> None:
    with Serving(data_dir, "--no-worker") as serving:
        register(serving, "ada")
        assert letters(data_dir) == []
        with worker(data_dir) as process:
            wait_for_jobs(data_dir)
            began = monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
            assert monotonic() - began < 5
        assert serving.client.get("/ready").status_code == 200
        assert letters(data_dir) == ["ada@example.com"]


def test_the_job_of_a_worker_that_is_killed_is_done_by_another_one(data_dir: Path) -> None:
    with (
        Serving(data_dir, "--no-worker") as serving,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        silent.settimeout(20)
        smtp = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        register(serving, "ada")
        with worker(data_dir, SMTP_URL=smtp, **HEARTBEAT) as killed:
            connection, _ = silent.accept()  # the job is in hand
            killed.kill()
            connection.close()
        with worker(data_dir, **HEARTBEAT):
            wait_for_jobs(data_dir)
        assert letters(data_dir) == ["ada@example.com"]


def test_the_server_does_the_jobs_itself_where_it_is_alone(data_dir: Path) -> None:
    with Serving(data_dir) as serving:
        register(serving, "ada")
        wait_for_jobs(data_dir)
        assert letters(data_dir) == ["ada@example.com"]


def test_a_server_that_is_stopped_gives_back_what_it_had_in_hand(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        with Serving(data_dir, SMTP_URL=f"smtp://127.0.0.1:{silent.getsockname()[1]}") as serving:
            register(serving, "ada")
            connection, _ = silent.accept()
            began = monotonic()
            assert serving.stop() == 0
            assert monotonic() - began < 5
            connection.close()
    with worker(data_dir):
        wait_for_jobs(data_dir)
    assert letters(data_dir) == ["ada@example.com"]
