"""The limits of the real program, of which several processes may count together."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from glasswork.core.errors import EXIT_CONFIGURATION
from tests.processes import Serving, run, until
from tests.redis_server import RedisServer, needs_redis
from tests.scrapes import total


@pytest.mark.slow
def test_operations_that_do_not_exist_are_named_at_the_start(data_dir: Path) -> None:
    rates = '{"log_in": "1/hour", "fly": "1/hour"}'
    for workers in ("1", "2"):
        arguments = ("--port", "0", "--workers", workers)
        started = run("serve", *arguments, data_dir=data_dir, RATE_LIMIT_ROUTES=rates)
        assert started.returncode == EXIT_CONFIGURATION
        assert started.stderr.strip().endswith("RATE_LIMIT_ROUTES names operations that do not exist: fly")
        assert "Traceback" not in started.stderr


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


def ask_anew(serving: Serving, path: str) -> httpx2.Response:
    """Over a connection of its own, so that any of the processes may get it; the first waits for them."""
    return httpx2.get(serving.base_url + path, timeout=100)


def told_of_loss(ready: httpx2.Response) -> httpx2.Response | None:
    return ready if ready.json()["checks"]["redis"] == "unavailable" else None


@pytest.mark.slow
@needs_redis
def test_processes_share_a_budget_and_do_without_redis(data_dir: Path, redis_server: RedisServer) -> None:
    redis = {"REDIS_URL": redis_server.url, "RATE_LIMIT_GLOBAL": "10/hour"}
    with Serving(data_dir, "--no-worker", "--workers", "2", **redis) as serving:
        until(lambda: ask_anew(serving, "/ready").json()["checks"].get("redis") == "ok")
        shared = [ask_anew(serving, "/nowhere").status_code for _ in range(20)]
        redis_server.freeze()
        alone = [ask_anew(serving, "/nowhere").status_code for _ in range(30)]
        ready = until(lambda: told_of_loss(ask_anew(serving, "/ready")))
        fallback = total(serving.client.get("/metrics").text, "glasswork_rate_limit_fallback")
        redis_server.thaw()
        until(lambda: ask_anew(serving, "/ready").json()["status"] == "ok")
    assert shared == [404] * 10 + [429] * 10
    assert set(alone) == {404, 429}
    assert 10 <= alone.count(404) <= 20  # each of the two has a budget of its own
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert fallback == 1
