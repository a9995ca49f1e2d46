"""`glasswork worker` beside a server, as processes."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import asyncpg
import httpx2
import pytest

from glasswork.core import embedded
from glasswork.core.database_checks import DatabaseProbe
from glasswork.core.db import open_database
from glasswork.core.outgoing import open_outgoing
from glasswork.core.telemetry.signals import Signals
from glasswork.worker import create_health, create_runner
from tests.conftest import make_settings
from tests.data_dirs import used_data_dir
from tests.databases import SERVING, Server
from tests.factories.callers import PASSWORD
from tests.processes import Serving, Working, free_port, run, until
from tests.redis_server import RedisServer, needs_redis
from tests.scrapes import total

HEARTBEAT = {"HEARTBEAT_SECONDS": "1"}


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """A server that leaves the jobs to others."""
    with used_data_dir() as data_dir, Serving(data_dir, "--no-worker") as serving:
        yield serving


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


@pytest.mark.slow
def test_a_worker_does_the_jobs_and_ends_when_it_is_told_to(serving: Serving) -> None:
    register(serving, "ada")
    with Working(serving.data_dir) as working:
        assert "ada@example.com" in letters(serving.data_dir)
        began = monotonic()
        assert working.stop() == 0
        assert monotonic() - began < 15
    assert serving.client.get("/ready").status_code == 200
    mail = run("mail", data_dir=serving.data_dir).stdout
    assert mail.startswith("To: ada@example.com\nSubject: Welcome to Glasswork\n\nHello ada,\n")


@pytest.mark.slow
def test_a_worker_that_stops_says_so_until_its_job_is_done(serving: Serving) -> None:
    register(serving, "eve")
    port = free_port()
    with (
        silent_smtp() as (url, listener),
        Working(serving.data_dir, SMTP_URL=url, METRICS_PORT=str(port)) as working,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as within,
    ):
        connection, _ = listener.accept()  # the job is in hand
        until(lambda: within.get("/ready").status_code == 200)
        working.process.terminate()
        told = until(lambda: draining(within))
        assert told == {"database": "ok", "schema": "ok", "queue": "ok", "process": "draining"}
        connection.close()
        assert working.process.wait(timeout=20) == 0


def draining(client: httpx2.Client) -> dict[str, str] | None:
    answer = client.get("/ready")
    checks: dict[str, str] = answer.json()["checks"]
    return checks if answer.status_code == 503 else None


@pytest.mark.anyio
async def test_a_worker_that_does_not_look_at_the_queue_is_not_ready(server: Server) -> None:
    async with server.clone() as name:
        settings = make_settings(server.url(SERVING, name))
        async with open_database(settings, {}) as database, open_outgoing((), None) as outgoing:
            runner = create_runner(settings, database, outgoing, None, finish_seconds=0)
        health = create_health(
            DatabaseProbe(settings.database_url.get_secret_value()).checks, runner, Signals("worker")
        )
        async with health.watching():
            assert health.status == "unavailable"
            assert health.checks == {"database": "ok", "schema": "ok", "queue": "unavailable"}


@pytest.mark.slow
def test_the_job_of_a_worker_that_is_killed_is_done_by_another_one(serving: Serving) -> None:
    register(serving, "bob")
    with silent_smtp() as (url, listener):
        with Working(serving.data_dir, SMTP_URL=url, **HEARTBEAT) as killed:
            connection, _ = listener.accept()  # the job is in hand
            killed.process.kill()
            killed.process.wait()
        connection.close()
    with Working(serving.data_dir, **HEARTBEAT):
        assert letters(serving.data_dir).count("bob@example.com") == 1


@needs_redis
@pytest.mark.slow
def test_a_stream_that_hangs_holds_up_no_job(serving: Serving, tmp_path: Path) -> None:
    register(serving, "kim")
    port = free_port()
    with (
        RedisServer(tmp_path) as redis_server,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as within,
    ):
        redis_server.freeze()
        stream = {"EVENT_STREAM_URL": redis_server.url, "METRICS_PORT": str(port)}
        with Working(serving.data_dir, **stream) as working:
            assert "kim@example.com" in letters(serving.data_dir)
            until(lambda: total(within.get("/metrics").text, "glasswork_stream_failures_total") >= 1)
            assert within.get("/ready").json()["status"] == "ok"
            assert total(within.get("/metrics").text, "glasswork_stream_behind_seconds") > 0
            assert working.stop() == 0


@pytest.mark.slow
def test_a_server_that_is_alone_does_the_jobs_and_gives_back_what_it_has_in_hand(data_dir: Path) -> None:
    with silent_smtp() as (url, listener), Serving(data_dir, SMTP_URL=url) as today:
        register(today, "ada")
        connection, _ = listener.accept()
        began = monotonic()
        assert today.stop() == 0
        assert monotonic() - began < 15
        connection.close()
    with Serving(data_dir):
        assert letters(data_dir) == ["ada@example.com"]
