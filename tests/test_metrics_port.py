"""METRICS_PORT: a port of their own for those who scrape and probe from inside."""

import re
import socket
from pathlib import Path

import httpx2
import pytest

from tests.processes import Serving, Working, free_port, run, until
from tests.scrapes import total


def inside(port: int) -> httpx2.Client:
    return httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)


def readiness(client: httpx2.Client, status: int) -> httpx2.Response | None:
    try:
        answer = client.get("/ready")
    except httpx2.TransportError:
        return None
    return answer if answer.status_code == status else None


@pytest.mark.slow
@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"]], ids=" ".join)
def test_a_taken_one_is_named(data_dir: Path, command: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(*command, data_dir=data_dir, METRICS_PORT=port)
    assert ended.returncode == 78
    assert re.search(rf"127\.0\.0\.1, port {port}: .* METRICS_PORT", ended.stderr)
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_it_must_be_another_one_than_the_callers(data_dir: Path) -> None:
    port = str(free_port())
    ended = run("serve", "--port", port, data_dir=data_dir, METRICS_PORT=port, METRICS_HOST="127.0.0.2")
    assert ended.returncode == 78
    assert f"METRICS_PORT and --port are both {port}." in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_shows_its_metrics_there_and_nowhere_else(data_dir: Path, workers: int) -> None:
    port = free_port()
    with (
        Serving(data_dir, "--workers", str(workers), METRICS_PORT=str(port)) as serving,
        inside(port) as within,
    ):
        until(lambda: re.search(rf"Metrics +http://127.0.0.1:{port}/metrics", serving.output))
        for _ in range(5):
            assert serving.client.get("/api/v1/users/me").status_code == 401
        assert serving.client.get("/metrics").status_code == 404
        assert until(lambda: total(within.get("/metrics").text, "db_client_connection_max") == 20 * workers)
        scrape = within.get("/metrics").text
        assert total(scrape, "http_server_requests_total", http_route="/api/v1/users/me") == 5
        for path, status in (("/health", 200), ("/ready", 200), ("/docs", 404), ("/api/v1/users/me", 404)):
            assert within.get(path).status_code == status
        assert serving.client.get("/ready").status_code == 200
        assert serving.stop() == 0


@pytest.mark.slow
def test_a_worker_shows_that_it_looks_at_the_queue(data_dir: Path) -> None:
    port = free_port()
    with (
        Serving(data_dir, "--no-worker"),
        Working(data_dir, METRICS_PORT=str(port)) as working,
        inside(port) as within,
    ):
        checks = {"database": "ok", "schema": "ok", "queue": "ok"}
        assert until(lambda: readiness(within, 200)).json() == {"status": "ok", "checks": checks}
        assert within.get("/health").json() == {"status": "ok"}
        scrape = within.get("/metrics").text
        assert total(scrape, "glasswork_dependency_up", dependency="queue") == 1
        assert total(scrape, "glasswork_worker_heartbeat_timestamp_seconds") > 0
        assert total(scrape, "glasswork_build_info", role="worker") == 1
        assert working.stop() == 0
