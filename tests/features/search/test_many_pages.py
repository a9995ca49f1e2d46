"""A project of 10,000 tasks, paged through while others write."""

import asyncio
from itertools import cycle
from typing import Any
from uuid import UUID

import pytest

from glasswork.core.ordering import key_of
from glasswork.features.search.schemas import SORT_KEYS
from glasswork.features.tasks.models import Priority, Task
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(600)]

TASKS = 10_000
FIRST = 1_000_000
"""Number of a task: those that are made meanwhile count from 1."""


async def fill(callers: Callers, owner: Caller, project: dict[str, Any]) -> list[str]:
    """Return the ids."""
    statuses = (await owner.get(f"/projects/{project['id']}/statuses")).json()["items"]
    priorities = list(Priority)
    rows = [
        Task(
            workspace_id=UUID(project["workspace_id"]),
            project_id=UUID(project["id"]),
            number=FIRST + n,
            position=key_of(FIRST + n),
            title=f"Task {n * 7919 % 500}",
            description="",
            status_id=UUID(statuses[n % 3]["id"]),
            priority=priorities[n % 5],
            created_by=owner.id,
        )
        for n in range(TASKS)
    ]
    async with callers.database.system_transaction() as session:
        session.add_all(rows)
    return [str(row.id) for row in rows]


async def write(owner: Caller, project: dict[str, Any], stop: asyncio.Event) -> int:
    """Make, complete and delete tasks that nobody counts, amid all sorts; return how often."""
    for rounds, title in enumerate(cycle(("Task 1", "Task 250", "Task 499"))):
        if stop.is_set():
            return rounds
        made = await make_task(owner, project, title=title, priority="medium", status="in_progress")
        await owner.put(f"/tasks/{made['id']}/completion")
        assert (await owner.delete(f"/tasks/{made['id']}")).status_code == 204
    raise AssertionError


async def walk(owner: Caller, path: str, sort: str) -> list[str]:
    seen: list[str] = []
    query: dict[str, Any] = {"sort": sort, "limit": 100}
    while True:
        page = (await owner.get(path, **query)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return seen
        query["cursor"] = page["next_cursor"]


async def test_every_sort_has_each_task_once(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    project = await make_project(owner, await make_workspace(owner))
    ids = await fill(committing_callers, owner, project)
    stop = asyncio.Event()
    writing = asyncio.create_task(write(owner, project, stop))
    for key in SORT_KEYS:
        for sort in (key, f"-{key}"):
            seen = await walk(owner, f"/projects/{project['id']}/tasks", sort)
            assert len(seen) == len(set(seen)), sort
            assert set(ids) <= set(seen), sort
    stop.set()
    assert await writing > TASKS // 100
