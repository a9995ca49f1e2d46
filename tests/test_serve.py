"""One command on a fresh machine: what it starts, what it keeps, and what it leaves behind."""

import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import httpx2
import pytest

from tests.data_dirs import empty_data_dir
from tests.factories.callers import PASSWORD
from tests.processes import Serving, children, command_line, postmaster, run, until
from tests.scrapes import total

ADA = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}


def sign_up(client: httpx2.Client) -> dict[str, str]:
    assert client.post("/api/v1/auth/register", json=ADA).status_code == 201
    return log_in(client)


def log_in(client: httpx2.Client) -> dict[str, str]:
    answer = client.post("/api/v1/auth/token", data={"username": "ada", "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def new_project(client: httpx2.Client, headers: dict[str, str]) -> str:
    workspace = client.post("/api/v1/workspaces", json={"name": "Ops", "slug": "ops"}, headers=headers).json()
    path = f"/api/v1/workspaces/{workspace['id']}/projects"
    answer = client.post(path, json={"name": "Ops", "key": "OPS"}, headers=headers)
    return f"/api/v1/projects/{answer.json()['id']}/tasks"


@pytest.fixture
def fresh_data_dir() -> Iterator[Path]:
    with empty_data_dir() as folder:
        yield folder


@pytest.mark.slow
def test_serves_on_a_fresh_machine_and_again_tomorrow(fresh_data_dir: Path) -> None:
    with Serving(fresh_data_dir) as today:
        assert today.client.get("/ready").json()["status"] == "ok"
        headers = sign_up(today.client)
        tasks = new_project(today.client, headers)
        made = today.client.post(tasks, json={"title": "Yesterday's"}, headers=headers).json()
    assert stat.S_IMODE((fresh_data_dir / "jwt_secret").stat().st_mode) == 0o600
    with Serving(fresh_data_dir) as tomorrow:
        # The token is still good, so the secret was kept too.
        assert tomorrow.client.get(f"/api/v1/tasks/{made['id']}", headers=headers).json() == made
    assert stat.S_IMODE(fresh_data_dir.stat().st_mode) == 0o755


@pytest.mark.slow
def test_the_first_admin_is_whoever_has_the_printed_link(data_dir: Path) -> None:
    with Serving(data_dir, PUBLIC_URL="https://tasks.example.com") as serving:
        link = until(lambda: re.search(r"\n +https://tasks.example.com/setup#token=(\S+)\n", serving.output))
        answer = serving.client.post("/api/v1/auth/first-admin", json=ADA | {"token": link[1]})
        assert (answer.status_code, answer.json()["role"]) == (201, "admin")
    assert serving.output.count("gws_") == 1
    with Serving(data_dir) as tomorrow:
        log_in(tomorrow.client)
    assert "/setup" not in tomorrow.output


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_that_was_started(data_dir: Path, by: signal.Signals) -> None:
    with Serving(data_dir) as serving:
        assert postmaster(data_dir)
        began = monotonic()
        assert serving.stop(by) == 0
    assert monotonic() - began < 10
    assert postmaster(data_dir) is None
    assert "Traceback" not in serving.output


@pytest.mark.slow
def test_two_terminals_share_the_database(data_dir: Path) -> None:
    with Serving(data_dir) as first, Serving(data_dir) as second:
        headers = sign_up(first.client)
        assert first.stop() == 0
        assert second.client.get("/api/v1/users/me", headers=headers).status_code == 200
        assert second.stop() == 0
    assert postmaster(data_dir) is None


@pytest.mark.slow
def test_kill_loses_no_answered_write(data_dir: Path) -> None:
    answered: list[str] = []
    with Serving(data_dir) as serving:
        tasks = new_project(serving.client, sign_up(serving.client))
    for round_ in range(3):
        with Serving(data_dir) as serving:
            headers = log_in(serving.client)
            for number in range(30):
                title = f"{round_}.{number}"
                assert serving.client.post(tasks, json={"title": title}, headers=headers).status_code == 201
                answered.append(title)
            database = postmaster(data_dir)
            assert database
            serving.process.kill()
            os.kill(database, signal.SIGKILL)
    with Serving(data_dir) as serving:
        listed = serving.client.get(
            tasks, params={"limit": 100, "sort": "number"}, headers=log_in(serving.client)
        )
        assert [task["title"] for task in listed.json()["items"]] == answered


@pytest.mark.slow
def test_several_workers_count_as_one(data_dir: Path) -> None:
    with Serving(data_dir, "--workers", "2") as serving:

        def count() -> float:
            metrics = serving.client.get("/metrics").text
            return total(metrics, "http_server_requests_total", http_route="/api/v1/users/me")

        def pools() -> float:
            return total(serving.client.get("/metrics").text, "db_client_connection_max")

        ask(serving, 40)
        assert until(lambda: pools() == 40)
        assert count() == 40
        (killed, _) = worker_processes(serving)
        os.kill(killed, signal.SIGKILL)
        # Its gauges are gone, and there are those of the one that follows it; its counters stay.
        assert until(lambda: killed not in worker_processes(serving) and len(worker_processes(serving)) == 2)
        assert until(lambda: pools() == 40)
        ask(serving, 10)
        assert count() == 50
        assert serving.stop() == 0
    assert postmaster(data_dir) is None


def ask(serving: Serving, times: int) -> None:
    for _ in range(times):
        with httpx2.Client(base_url=serving.base_url, timeout=30) as fresh_connection:
            assert fresh_connection.get("/api/v1/users/me").status_code == 401


def worker_processes(serving: Serving) -> list[int]:
    """Without the one that keeps account of what all of them share."""
    return [pid for pid in children(serving.process.pid) if "spawn_main" in command_line(pid)]


def test_a_taken_port_is_named_before_anything_is_started(fresh_data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("serve", "--port", port, data_dir=fresh_data_dir)
    assert ended.returncode == 78
    assert port in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(fresh_data_dir.iterdir())


def test_production_makes_nothing_up() -> None:
    ended = run("serve", ENVIRONMENT="production")
    assert ended.returncode == 78
    assert "DATABASE_URL: is missing" in ended.stderr
    assert "JWT_SECRET: is missing" in ended.stderr


@pytest.mark.slow
def test_a_database_that_cannot_be_reached_is_given_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"postgresql+asyncpg://somebody:hidden@127.0.0.1:{port}/nothing"
    began = monotonic()
    ended = run("serve", "--port", "0", DATABASE_URL=url, JWT_SECRET="-" * 32, DATABASE_WAIT_SECONDS="1")
    assert monotonic() - began < 30
    assert ended.returncode == 69
    assert str(port) in ended.stderr
    assert "tried for 1 s" in ended.stderr
    assert ended.stderr.count("Waiting for the database") == 1
    assert ended.stdout == ""
    assert "hidden" not in ended.stderr
    assert "Traceback" not in ended.stderr
