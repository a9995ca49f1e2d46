"""The operations page of an installation with several processes, which end with somebody watching."""

import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.data_dirs import used_data_dir
from tests.factories.callers import PASSWORD
from tests.processes import Serving, Working, run, until

NEW = {"email": "bob@example.com", "username": "bob", "name": "Bob", "password": PASSWORD}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with used_data_dir() as folder:
        yield folder


def sign_in(serving: Serving) -> dict[str, str]:
    """As an admin, whose account is opened where there is none."""
    account = ["--email", "ada@example.com", "--username", "ada", "--password", PASSWORD]
    run("create-admin", *account, data_dir=serving.data_dir)
    form = {"username": "ada", "password": PASSWORD}
    token = serving.client.post("/api/v1/auth/token", data=form).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def frames(serving: Serving, headers: dict[str, str]) -> Generator[Any]:
    with serving.client.stream("GET", "/ops/api/stream", headers=headers) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def test_all_processes_are_one_installation(data_dir: Path) -> None:
    with Serving(data_dir, "--workers", "2", "--no-worker") as serving, Working(data_dir):
        headers = sign_in(serving)
        watched = frames(serving, headers)
        told = next(frame for frame in watched if len(frame["instances"]) == 3)
        watched.close()
        assert sorted(instance["role"] for instance in told["instances"]) == ["api", "api", "worker"]
        assert told["silent"] == []
        answer = serving.client.post("/api/v1/auth/register", json=NEW)
        path = f"/ops/api/requests/{answer.headers['X-Request-ID']}"

        def whole() -> Any:
            entries = serving.client.get(path, headers=headers).json().get("entries", [])
            return entries if len(entries) == 2 else None

        request, job = until(whole)
        assert (request["kind"], job["kind"], job["title"]) == ("request", "job", "credentials.send_welcome")
        assert request["instance"].startswith("api-")
        assert job["instance"].startswith("worker-")
        assert job["trace_id"] == request["trace_id"]
        assert {span["name"] for span in job["spans"]} >= {"process credentials.send_welcome", "COMMIT"}


def test_somebody_who_watches_does_not_hold_up_the_end(data_dir: Path) -> None:
    with Serving(data_dir) as serving:
        watched = frames(serving, sign_in(serving))
        assert next(watched)["instances"]
        assert serving.stop() == 0
        for _ in watched:  # it was ended, and not cut off after having been waited for
            pass
