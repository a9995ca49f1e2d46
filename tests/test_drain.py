"""A server that is told to stop: until when it serves, and what `/ready` says meanwhile."""

import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from uuid import uuid4

import httpx2
import pytest

from tests.data_dirs import used_data_dir
from tests.factories.callers import PASSWORD
from tests.processes import Serving, until
from tests.scrapes import total

LONG = {"DRAIN_SECONDS": "300"}

pytestmark = pytest.mark.slow

each_number = pytest.mark.parametrize("workers", ["1", "2"])


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with used_data_dir() as folder:
        yield folder


def wait_for_all(serving: Serving, workers: str) -> None:
    """A process that has only begun to start is just ended."""
    expected = 20 * int(workers)
    assert until(lambda: total(serving.client.get("/metrics").text, "db_client_connection_max") == expected)


def draining(serving: Serving) -> httpx2.Response | None:
    answer = serving.client.get("/ready")
    return answer if answer.status_code == 503 else None


@each_number
def test_it_serves_on_while_others_learn_of_it(data_dir: Path, workers: str) -> None:
    with Serving(data_dir, "--workers", workers, DRAIN_SECONDS="3") as serving:
        wait_for_all(serving, workers)
        began = monotonic()
        serving.process.send_signal(signal.SIGTERM)
        answer = until(lambda: draining(serving))
        checks = {"database": "ok", "schema": "ok", "process": "draining"}
        assert answer.json() == {"status": "unavailable", "checks": checks}
        assert total(serving.client.get("/metrics").text, "glasswork_ready") == 0
        with httpx2.Client(base_url=serving.base_url, timeout=10) as late:
            assert late.get("/health").status_code == 200
            name = uuid4().hex[:10]
            ada = {"email": f"{name}@example.com", "username": name, "name": "Ada", "password": PASSWORD}
            assert late.post("/api/v1/auth/register", json=ada).status_code == 201
        assert serving.process.wait(timeout=20) == 0
        assert monotonic() - began >= 3
    assert "Traceback" not in serving.output


@each_number
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_who_says_it_twice_does_not_wait(data_dir: Path, workers: str, by: signal.Signals) -> None:
    with Serving(data_dir, "--workers", workers, **LONG) as serving:
        wait_for_all(serving, workers)
        serving.process.send_signal(signal.SIGTERM)
        until(lambda: draining(serving))
        assert serving.stop(by) == 0
    assert "Traceback" not in serving.output


@each_number
def test_a_person_does_not_wait(data_dir: Path, workers: str) -> None:
    with Serving(data_dir, "--workers", workers, **LONG) as serving:
        wait_for_all(serving, workers)
        assert serving.stop(signal.SIGINT) == 0
    assert "Traceback" not in serving.output
