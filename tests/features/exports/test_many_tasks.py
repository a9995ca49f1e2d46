"""A project of 100,000 tasks, taken from the real program: what it needs does not grow with them."""

import csv
import json
import os
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.databases import SERVING, Server
from tests.processes import Serving, make, sign_in

pytestmark = [pytest.mark.anyio, pytest.mark.long, pytest.mark.timeout(300)]

TASKS = 100_000
WORDS = 'Words, and "more" of them;\n' * 20
MEGABYTES = 24
"""Of an answer that has a hundred."""

_MORE = f"""
    SET session_replication_role = replica;
    INSERT INTO tasks (
        workspace_id, id, project_id, number, title, description, status_id, priority, position,
        created_by, version
    )
    SELECT workspace_id, gen_random_uuid(), project_id, n, 'Task ' || n, '{WORDS}', status_id, priority,
        'z' || to_char(n, 'FM000000'), created_by, 1
    FROM tasks, generate_series(2, {TASKS}) AS n;
    ANALYZE tasks
"""


def resident_megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.fixture
async def database(server: Server) -> AsyncIterator[str]:
    async with server.clone() as name:
        yield name


@pytest.fixture
def serving(server: Server, database: str, data_dir: Path) -> Iterator[Serving]:
    with Serving(data_dir, DATABASE_URL=server.url(SERVING, database), RATE_LIMIT_ENABLED="false") as serving:
        yield serving


@pytest.fixture
async def project(
    server: Server, database: str, serving: Serving
) -> AsyncIterator[tuple[httpx2.Client, Any]]:
    with sign_in(serving) as api:
        workspace = make(api, "/workspaces", name="Many", slug="many")
        project = make(api, f"/workspaces/{workspace['id']}/projects", name="Many", key="MANY")
        make(api, f"/projects/{project['id']}/tasks", title="Task 1", description=WORDS)
        await server.execute(_MORE, database=database)
        yield api, project


async def test_memory_does_not_grow_with_them(project: tuple[httpx2.Client, Any], serving: Serving) -> None:
    api, of = project
    paths = {"csv": f"/projects/{of['id']}/export", "jsonl": f"/workspaces/{of['workspace_id']}/export"}
    for path in paths.values():
        api.get(path, params={"archived": "true"})
    before = most = resident_megabytes(serving.process.pid)
    for format_, path in paths.items():
        whole = bytearray()
        with api.stream("GET", path, params={"format": format_}) as answer:
            for part in answer.iter_bytes():
                whole += part
                most = max(most, resident_megabytes(serving.process.pid))
        keys = {task["key"]: task["description"] for task in READERS[format_](whole.decode())}
        assert keys == {f"MANY-{n}": WORDS for n in range(1, TASKS + 1)}
    assert most - before < MEGABYTES


def _of_csv(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(StringIO(text, newline="")))


def _of_jsonl(text: str) -> list[dict[str, Any]]:
    *tasks, end = (json.loads(line) for line in text.splitlines())
    assert end == {"type": "end", "tasks": TASKS, "comments": 0}
    return tasks


READERS = {"csv": _of_csv, "jsonl": _of_jsonl}
