"""The last release goes on with this schema: while this one is rolled out, and when it is taken back."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from last_release import Release

from glasswork.core import revisions
from tests.conftest import SECRET
from tests.data_dirs import empty_data_dir
from tests.databases import OWNER, SERVING, Server
from tests.last_releases import released, skip_without_migration
from tests.processes import Serving, make, run, sign_in, until
from tests.test_migrations import run as run_alembic

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(300)]

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture(scope="module")
def release() -> Iterator[Release]:
    with released() as release:
        yield release


@pytest.fixture
async def database(server: Server) -> AsyncIterator[str]:
    async with server.clone() as name:
        yield name


@pytest.fixture
def files() -> Iterator[Path]:
    with empty_data_dir() as folder:
        yield folder


def environment_of(server: Server, database: str, release: Release | None = None) -> dict[str, str]:
    return {
        "DATABASE_URL": server.url(SERVING, database),
        "MIGRATION_DATABASE_URL": server.url(OWNER, database),
        "JWT_SECRET": SECRET,
        "PYTHONPATH": release.python_path if release else "",
    }


def test_what_runs_is_the_code_of_the_release(release: Release) -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import glasswork; print(glasswork.__file__)"],
        env=os.environ | {"PYTHONPATH": release.python_path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.startswith(release.python_path)
    assert not revisions.is_newer(release.revision)


@pytest.mark.fault("F21", "sign in", "read", "search", "create", "edit", "comment", "health")
async def test_it_serves_with_the_newer_schema(
    release: Release, server: Server, database: str, files: Path
) -> None:
    """Without a downgrade."""
    with Serving(files, **environment_of(server, database, release)) as old:
        with sign_in(old) as api:
            task = journey(api, "old")
        assert old.client.get("/ready").json() == {
            "status": "ok",
            "checks": {"database": "ok", "schema": "ok"},
        }
        assert await server.fetch(revisions.CURRENT, database=database) == revisions.head()
        with Serving(files, **environment_of(server, database)) as new, on(new, api) as same:
            assert same.get(f"/tasks/{task}").json()["title"] == "Sold"
            journey(same, "new")
        with on(old, api) as again:
            journey(again, "back")


@pytest.mark.fault("F20", "sign in", "read", "search", "create", "edit", "comment", "health")
async def test_this_one_asks_for_its_schema_and_then_serves_what_the_release_has_left(
    release: Release, server: Server, database: str, files: Path
) -> None:
    skip_without_migration(release)
    await run_alembic(server.url(OWNER, database), "downgrade", release.revision)
    with Serving(files, **environment_of(server, database, release)) as old, sign_in(old) as api:
        task = journey(api, "old")
        refused = run("serve", "--port", "0", data_dir=files, **environment_of(server, database))
        assert refused.returncode
        assert f"at {release.revision}, expected {revisions.head()}. Run: glasswork migrate" in refused.stderr
        migrated = run("migrate", "--check", data_dir=files, **environment_of(server, database))
        assert migrated.returncode == 0, migrated.stderr
        journey(api, "meanwhile")
        with Serving(files, **environment_of(server, database)) as new, on(new, api) as same:
            assert same.get(f"/tasks/{task}").json()["title"] == "Sold"
            journey(same, "new")


def on(serving: Serving, api: httpx2.Client) -> httpx2.Client:
    """The same caller at another process."""
    return httpx2.Client(base_url=f"{serving.base_url}/api/v1", headers=api.headers, timeout=30)


def journey(api: httpx2.Client, name: str) -> str:
    """What callers do all day, in a workspace of its own; returns the id of a task that stays."""
    workspace = make(api, "/workspaces", name=name, slug=name)["id"]
    project = make(api, f"/workspaces/{workspace}/projects", name="Sales", key="OPS")["id"]
    label = make(api, f"/projects/{project}/labels", name="bug", color="#d73a4a")["id"]
    task, other = (
        make(api, f"/projects/{project}/tasks", title=title, label_ids=[label], due_at="2027-01-15T12:00:00Z")
        for title in ("Sell the panes", "Sweep the floor")
    )
    path = f"/tasks/{task['id']}"
    assert api.patch(path, json={"title": "Sold"}, headers={"If-Match": '"1"'}).json()["version"] == 2
    assert api.patch(path, json={"title": "Lost"}, headers={"If-Match": '"1"'}).status_code == 412
    assert api.put(f"{path}/completion").json()["completed_at"]
    make(api, f"{path}/comments", body="At a *good* price.")
    assert api.delete(f"/tasks/{other['id']}").status_code == 204
    assert api.get(f"/tasks/{other['id']}").status_code == 404
    listed = api.get(
        f"/projects/{project}/tasks", params={"sort": "-priority,due_at", "total": "true"}
    ).json()
    assert [each["title"] for each in listed["items"]] == ["Sold"]
    assert api.get(f"/projects/{project}/board").is_success
    found = api.get(f"/workspaces/{workspace}/tasks", params={"q": "sold"}).json()["items"]
    assert [each["key"] for each in found] == ["OPS-1"]
    changes = until(
        lambda: api.get(f"/workspaces/{workspace}/changes", params={"limit": 100}).json()["items"]
    )
    assert [change["seq"] for change in changes] == [*range(1, len(changes) + 1)]
    assert {"task.created", "task.updated", "task.deleted", "comment.created"} <= {
        change["type"] for change in changes
    }
    return str(task["id"])
