"""A large table, imported by the program while its processes are killed."""

from typing import Any

import httpx2
import pytest

from tests.data_dirs import used_data_dir
from tests.processes import Serving, Working, make, sign_in, until

pytestmark = pytest.mark.slow

ROWS = 6_000
KILLS = 2
SETTINGS = {"HEARTBEAT_SECONDS": "1", "RATE_LIMIT_ENABLED": "false"}


def table() -> bytes:
    rows = (
        f'"Row {number}","first line\nsecond, of {number}",label {number % 7}\n' for number in range(ROWS)
    )
    return b"title,description,labels\n" + "".join(rows).encode()


def numbers_of(api: httpx2.Client, project_id: str) -> list[int]:
    """Which rows the tasks of the project are of."""
    found: list[int] = []
    query: dict[str, Any] = {"limit": 100, "sort": "number"}
    while True:
        page = api.get(f"/projects/{project_id}/tasks", params=query).json()
        found += [int(task["title"].removeprefix("Row ")) for task in page["items"]]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def test_workers_that_are_killed_lose_no_row_and_make_none_twice() -> None:
    with (
        used_data_dir() as data_dir,
        Serving(data_dir, "--no-worker", **SETTINGS) as serving,
        sign_in(serving) as api,
    ):
        workspace = make(api, "/workspaces", name="W", slug="w")
        made = make(api, f"/workspaces/{workspace['id']}/imports", format="csv", project_key="BIG")
        assert api.put(f"/imports/{made['id']}/file", content=table()).status_code == 200
        seen = [0]

        def import_() -> dict[str, Any]:
            return dict(api.get(f"/imports/{made['id']}").json())

        for _ in range(KILLS):
            with Working(data_dir, **SETTINGS):  # which kills it at the end
                seen.append(until(lambda: moved if (moved := import_()["done"]) > seen[-1] else None))
        assert seen[-1] < ROWS
        with Working(data_dir, **SETTINGS):
            ended = until(lambda: now if (now := import_())["ended_at"] else None, 60)
        assert ended == ended | {"status": "completed", "done": ROWS, "tasks": ROWS, "tasks_there": 0}
        assert numbers_of(api, ended["project_id"]) == list(range(ROWS))
