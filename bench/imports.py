"""What the import of a large table costs: `uv run task bench-imports`.

A server process takes the file, and a worker process carries the import out, on an embedded database. It
fails when a row is lost or made twice, or when the progress stands still for long. Told are the rate, and
the CPU and the memory of the worker; beside it what a program takes that does no more than COPY the rows.
"""

import argparse
import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, process_time, sleep
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import msgspec
from cores import LOAD, MEASURED, on_core
from import_by_hand import load_by_hand
from live import API, PASSWORD, PROGRAM, megabytes, serving
from measure import children, cpu_seconds
from stand import plain
from work import Work

from glasswork.core.embedded import DATABASE, OWNER_ROLE, EmbeddedPostgres

LOOK_SECONDS = 0.5
STANDSTILL_SECONDS = 30
WARM_UP_ROWS = 500


def table(rows: int) -> bytes:
    lines = (
        f'T{row},"Row {row} of the table","A line, with a comma,\nand another of row {row}",'
        f"{('todo', 'in_progress', 'done')[row % 3]},{('none', 'low', 'high')[row % 3]},label {row % 20},"
        f"2026-12-{row % 28 + 1:02},2025-01-{row % 28 + 1:02}T08:00:00Z\n"
        for row in range(rows)
    )
    return b"id,title,description,status,priority,labels,due_at,created_at\n" + "".join(lines).encode()


@contextmanager
def working(home: Path) -> Iterator[int]:
    """Yield a worker's process."""
    command = [PROGRAM, "worker", "--data-dir", str(home)]
    process = subprocess.Popen(command, env=os.environ | {"LOG_LEVEL": "error"})
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def sign_in(client: httpx2.Client) -> None:
    account = {"email": "bench@example.com", "username": "bench", "name": "Bench"}
    client.post("/auth/register", json=account | {"password": PASSWORD})
    token = client.post("/auth/token", data={"username": "bench", "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"


def follow(client: httpx2.Client, path: str, worker: int) -> tuple[dict[str, Any], float]:
    """Until it ends; return it, and the most memory that the worker had."""
    done, moved_at, most = 0, monotonic(), 0.0
    while True:
        now: dict[str, Any] = client.get(path).json()
        most = max(most, megabytes(worker))
        if now["ended_at"]:
            return now, most
        if now["done"] > done:
            done, moved_at = now["done"], monotonic()
        assert monotonic() - moved_at < STANDSTILL_SECONDS, f"it stands at {done}"
        sleep(LOOK_SECONDS)


def load(client: httpx2.Client, workspace_id: str, rows: int, worker: int) -> tuple[int, float, float]:
    """Return the bytes of the table, the seconds that it took, and the most megabytes."""
    content, body = table(rows), {"format": "csv", "project_key": f"ROWS{rows}"}
    made = client.post(f"/workspaces/{workspace_id}/imports", json=body).json()
    began = monotonic()
    client.put(f"/imports/{made['id']}/file", content=content).raise_for_status()
    ended, most = follow(client, f"/imports/{made['id']}", worker)
    seconds = monotonic() - began
    assert ended["status"] == "completed", ended
    assert (ended["tasks"], ended["tasks_there"], ended["faults"]) == (rows, 0, 0), ended
    project = f"/projects/{ended['project_id']}/tasks"
    total = client.get(project, params={"total": True, "limit": 1}).json()["total"]
    assert total == rows, total
    return len(content), seconds, most


def measure(rows: int) -> tuple[Work, Work, float]:
    """Return what it costs by the app and by hand, and the most megabytes that the worker had."""
    with tempfile.TemporaryDirectory(prefix="glasswork-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with (
            database_on_its_core(home) as server,
            on_core(MEASURED),
            serving(home) as (_, address),
            working(home) as worker,
            httpx2.Client(base_url=address + API, timeout=60) as client,
        ):
            sign_in(client)
            workspace = client.post("/workspaces", json={"name": "W", "slug": "w"}).json()
            load(client, workspace["id"], WARM_UP_ROWS, worker)
            database, cpu = database_seconds(home), cpu_seconds([worker])
            _, seconds, most = load(client, workspace["id"], rows, worker)
            cpu, database = cpu_seconds([worker]) - cpu, database_seconds(home) - database
            by_app = Work(rows, rows / seconds, cpu / rows * 1e6, database / rows * 1e6)
            project = client.post(
                f"/workspaces/{workspace['id']}/projects", json={"name": "P", "key": "BARE"}
            )
            ids = UUID(workspace["id"]), UUID(project.json()["id"])
            by_hand = asyncio.run(measure_by_hand(server.url(OWNER_ROLE, DATABASE), home, rows, *ids))
    return by_app, by_hand, most


async def measure_by_hand(url: str, home: Path, rows: int, workspace_id: UUID, project_id: UUID) -> Work:
    connection = await asyncpg.connect(plain(url))
    content = table(rows)
    database, cpu, began = database_seconds(home), process_time(), monotonic()
    await load_by_hand(connection, workspace_id, project_id, content)
    seconds, cpu, database = monotonic() - began, process_time() - cpu, database_seconds(home) - database
    await connection.close()
    return Work(rows, rows / seconds, cpu / rows * 1e6, database / rows * 1e6)


@contextmanager
def database_on_its_core(home: Path) -> Iterator[EmbeddedPostgres]:
    with ExitStack() as stack:
        with on_core(LOAD):
            server = stack.enter_context(EmbeddedPostgres(home))
        yield server


def database_seconds(home: Path) -> float:
    postmaster = int((home / "postgres/data/postmaster.pid").read_text().split()[0])
    return cpu_seconds([postmaster, *children(postmaster)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="for bench/run.py")
    options = parser.parse_args()
    by_app, by_hand, most = measure(options.rows)
    if options.json:
        print(msgspec.json.encode([by_app, by_hand]).decode())
        return
    for name, work in {"the worker": by_app, "by hand": by_hand}.items():
        print(f"{name}: {work.per_second:.0f} rows a second, {work.app_us:.0f} µs of CPU a row")
    print(f"the worker had {most:.0f} MB at most")


if __name__ == "__main__":
    main()
