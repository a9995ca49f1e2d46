"""What a server says of itself while its database stands still, or is gone."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.factories.callers import PASSWORD
from tests.processes import Serving, children, command_line, postmaster, until
from tests.scrapes import total

ADA = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}
AWAY = {"status": "unavailable", "checks": {"database": "unavailable", "schema": "unavailable"}}
POOL, CALLERS = 20, 25

pytestmark = pytest.mark.slow


@contextmanager
def standing_still(data_dir: Path) -> Iterator[None]:
    """All of the database's processes: what is sent to them is taken, and not answered."""
    server = postmaster(data_dir)
    assert server
    pids = [server, *children(server)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def readiness(serving: Serving, status: int) -> httpx2.Response | None:
    answer = serving.client.get("/ready", timeout=5)
    return answer if answer.status_code == status else None


def active(serving: Serving) -> float:
    return total(serving.client.get("/metrics", timeout=5).text, "http_server_active_requests")


def log_in(serving: Serving) -> dict[str, str]:
    credentials = {"username": "ada", "password": PASSWORD}
    answer = serving.client.post("/api/v1/auth/token", data=credentials)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_a_database_that_stands_still_holds_up_neither_probe(data_dir: Path) -> None:
    with Serving(data_dir) as serving, ThreadPoolExecutor(CALLERS) as callers:
        assert serving.client.post("/api/v1/auth/register", json=ADA).status_code == 201
        credentials = {"username": "ada", "password": PASSWORD}

        def log_in() -> int:
            return httpx2.post(
                f"{serving.base_url}/api/v1/auth/token", data=credentials, timeout=60
            ).status_code

        assert log_in() == 200
        with standing_still(data_dir):
            stuck = [callers.submit(log_in) for _ in range(CALLERS)]
            assert until(lambda: active(serving) >= POOL)
            assert serving.client.get("/health", timeout=5).json() == {"status": "ok"}
            until(lambda: readiness(serving, 503))
            assert until(lambda: serving.client.get("/ready", timeout=5).json() == AWAY)
            assert serving.client.get("/health", timeout=5).status_code == 200
            assert {call.result() for call in stuck} == {503}
        until(lambda: readiness(serving, 200))
        assert log_in() == 200


def test_the_embedded_database_that_was_killed_is_missed_and_comes_back(data_dir: Path) -> None:
    with Serving(data_dir) as serving:
        assert serving.client.post("/api/v1/auth/register", json=ADA).status_code == 201
        server = postmaster(data_dir)
        assert server
        # As long as a part of it is there, it is not started again.
        (part,) = (pid for pid in children(server) if "walwriter" in command_line(pid))
        os.kill(part, signal.SIGSTOP)
        os.kill(server, signal.SIGKILL)
        until(lambda: readiness(serving, 503))
        assert until(lambda: serving.client.get("/ready", timeout=5).json() == AWAY)
        assert serving.client.get("/health").status_code == 200
        until(lambda: serving.output.count('"worker.failed"') >= 4)
        os.kill(part, signal.SIGCONT)
        until(lambda: readiness(serving, 200))
        assert serving.client.get("/api/v1/users/me", headers=log_in(serving)).status_code == 200
        assert serving.stop() == 0
    assert postmaster(data_dir) is None
    failures = [json.loads(line) for line in serving.output.splitlines() if '"worker.failed"' in line]
    with_places = [each["error_type"] for each in failures if "exception" in each]
    assert sorted(with_places) == sorted({each["error_type"] for each in failures})
