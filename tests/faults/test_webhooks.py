"""Workers and the receiver are killed at random during changes: each arrives, and the log tells it all."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from threading import Event
from time import monotonic, sleep
from typing import Any

import httpx2
import pytest

from tests.data_dirs import used_data_dir
from tests.processes import Serving, Working, free_port, make, sign_in, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

CHANGES = 500
WRITERS = 4
SEED = 7
PAUSE = 0.1
ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("receiving_program.py")
QUICK = {
    "WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8",
    "WEBHOOK_RETRY_SECONDS": "600",
    "HEARTBEAT_SECONDS": "2",
    "RATE_LIMIT_ENABLED": "false",
}
SETTLING_SECONDS = 180


class Receiving:
    def __init__(self, folder: Path, port: int) -> None:
        self._command = [sys.executable, str(PROGRAM), str(folder), str(port)]
        self.process = subprocess.Popen(self._command)

    def revive(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = subprocess.Popen(self._command)


class Work:
    """Two workers, of which each may die at any time; another one takes its place."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.workers = [Working(data_dir, **QUICK) for _ in range(2)]

    def kill_one(self, random: Random) -> None:
        place = random.randrange(len(self.workers))
        self.workers[place].__exit__()
        self.workers[place] = Working(self._data_dir, **QUICK)


@contextmanager
def stage(folder: Path) -> Iterator[tuple[Serving, Work, Receiving, int]]:
    port = free_port()
    with used_data_dir() as data_dir, Serving(data_dir, "--no-worker", **QUICK) as serving:
        work, receiving = Work(data_dir), Receiving(folder, port)
        try:
            yield serving, work, receiving, port
        finally:
            for worker in work.workers:
                worker.__exit__()
            receiving.process.kill()
            receiving.process.wait()


def write(api: httpx2.Client, project: dict[str, Any]) -> None:
    """Make its share of the changes, slowly enough for somebody to die meanwhile."""
    task = make(api, f"/projects/{project['id']}/tasks", title="Task")
    for n in range(CHANGES // WRITERS - 1):
        sleep(PAUSE)
        assert api.patch(f"/tasks/{task['id']}", json={"title": f"Task {n}"}).status_code == 200


def disturb(work: Work, receiving: Receiving, is_over: Event) -> int:
    """Return how often somebody was killed."""
    random, kills = Random(SEED), 0  # noqa: S311 (no secret)
    while not is_over.wait(random.uniform(0.5, 2)):
        kill: Callable[[], None] = random.choice((partial(work.kill_one, random), receiving.revive))
        kill()
        kills += 1
    return kills


def pages(api: httpx2.Client, path: str, **query: Any) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        place: dict[str, str] = {} if cursor is None else {"cursor": cursor}
        page = api.get(path, params={"limit": 100, **query, **place}).json()
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None or not page["items"]:
            return


def has_all(api: httpx2.Client, webhook: dict[str, Any]) -> bool:
    delivered = f"/webhooks/{webhook['id']}/deliveries?status=delivered&limit=1&total=true"
    total: int = api.get(delivered).json()["total"]
    return total == CHANGES


def test_each_change_arrives_and_each_attempt_is_told(tmp_path: Path) -> None:
    began = monotonic()
    with stage(tmp_path) as (serving, work, receiving, port), sign_in(serving) as api:
        workspace = make(api, "/workspaces", name="W", slug="w")
        project = make(api, f"/workspaces/{workspace['id']}/projects", name="P", key="OPS")
        webhooks = {}
        for path, is_ordered in (("/any", False), ("/ordered", True)):
            new = {"url": f"http://127.0.0.1:{port}{path}", "events": ["task.*"], "is_ordered": is_ordered}
            webhooks[path] = make(api, f"/workspaces/{workspace['id']}/webhooks", **new)
        secrets = {path: webhook["secret"] for path, webhook in webhooks.items()}
        (tmp_path / "secrets.json").write_text(json.dumps(secrets))
        is_over = Event()
        with ThreadPoolExecutor(WRITERS + 1) as pool:
            disturbing = pool.submit(disturb, work, receiving, is_over)
            list(pool.map(write, [api] * WRITERS, [project] * WRITERS))
            is_over.set()
            kills = disturbing.result()
        for webhook in webhooks.values():
            until(partial(has_all, api, webhook), SETTLING_SECONDS)
        changes = [
            each["seq"]
            for each in pages(api, f"/workspaces/{workspace['id']}/changes")
            if each["type"].startswith("task.")
        ]
        assert len(changes) == CHANGES
        received = [json.loads(line) for line in (tmp_path / "received.jsonl").read_text().splitlines()]
        assert {each["fault"] for each in received} == {""}
        attempts = 0
        for path, webhook in webhooks.items():
            mine = [each for each in received if each["path"] == path]
            ids = defaultdict(set)
            for each in mine:
                ids[each["seq"]].add(each["id"])
            assert sorted(ids) == changes
            assert {len(each) for each in ids.values()} == {1}
            first = list(dict.fromkeys(each["seq"] for each in mine))
            assert path != "/ordered" or first == sorted(first)
            logged = set()
            for delivery in pages(api, f"/webhooks/{webhook['id']}/deliveries"):
                shown = api.get(f"/deliveries/{delivery['id']}").json()
                assert [each["number"] for each in shown["log"]] == list(range(1, shown["attempts"] + 1))
                assert "delivered" in [each["outcome"] for each in shown["log"]]
                logged |= {each["headers"]["webhook-signature"] for each in shown["log"]}
                attempts += shown["attempts"]
            assert {each["signature"] for each in mine} <= logged
        assert kills > 5
        print(  # noqa: T201 (`pytest -rP` shows it)
            f"{CHANGES} changes, {kills} kills, {attempts} attempts, {len(received)} received,"
            f" {monotonic() - began:.0f} s"
        )
