from asyncio import gather
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext

from glasswork.core.db import Database
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project
from tests.statements import statements

pytestmark = pytest.mark.anyio


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    return committing_callers


async def bulk(
    caller: Caller, workspace: dict[str, Any], operations: list[dict[str, Any]], mode: str = "atomic"
) -> Any:
    path = f"/workspaces/{workspace['id']}/tasks/bulk"
    return await caller.post(path, {"mode": mode, "operations": operations})


def refusals_of(database: Database) -> list[str]:
    """Return the list that the SQLSTATEs of failed statements come to."""
    states: list[str] = []

    def note(context: ExceptionContext) -> None:
        states.append(getattr(context.original_exception, "sqlstate", None) or "unknown")

    event.listen(database.engine.sync_engine, "handle_error", note)
    return states


async def make_tasks(
    caller: Caller, workspace: dict[str, Any], project: dict[str, Any], count: int
) -> list[str]:
    new = [{"op": "create", "title": f"T{n}", "project_id": project["id"]} for n in range(count)]
    return [item["task"]["id"] for item in (await bulk(caller, workspace, new)).json()["items"]]


@pytest.mark.fault("F19", "edit")
async def test_crossing_ones_wait_for_each_other_only_one_way(
    owner: Caller, workspace: dict[str, Any], committing_callers: Callers
) -> None:
    errors = refusals_of(committing_callers.database)
    projects = [await make_project(owner, workspace) for _ in range(2)]
    ids = [task_id for each in projects for task_id in await make_tasks(owner, workspace, each, 50)]

    def operations(order: list[str], targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
        acts: list[dict[str, Any]] = []
        for n, task_id in enumerate(order):
            place = {"op": "position", "after_id": None}
            move = {"op": "move", "project_id": targets[n % 2]["id"]}
            acts.append({"task_id": task_id} | ({"op": "complete"}, place, move)[n % 3])
        return acts

    answers = await gather(
        bulk(owner, workspace, operations(ids, projects)),
        bulk(owner, workspace, operations(ids[::-1], projects[::-1])),
    )
    # On a slow machine the second one may have waited for long, and begun anew.
    assert set(errors) <= {"55P03"}
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_statements_grow_by_as_many_with_each_operation(
    owner: Caller, workspace: dict[str, Any], committing_callers: Callers
) -> None:
    ids = await make_tasks(owner, workspace, await make_project(owner, workspace), 30)
    counts = []
    for number in (10, 20, 30):
        updates = [{"op": "update", "task_id": id_, "title": f"New {number}"} for id_ in ids[:number]]
        with statements(committing_callers.database) as sent:
            assert (await bulk(owner, workspace, updates)).status_code == 200
        counts.append(len(sent))
    assert counts[1] - counts[0] == counts[2] - counts[1] <= 60, counts


@pytest.mark.slow
async def test_five_hundred_updates(owner: Caller, workspace: dict[str, Any]) -> None:
    ids = await make_tasks(owner, workspace, await make_project(owner, workspace), 500)
    for mode in ("atomic", "best_effort"):
        updates = [{"op": "update", "task_id": id_, "title": mode} for id_ in ids]
        began = perf_counter()
        answer = await bulk(owner, workspace, updates, mode)
        print(f"{mode}: {1000 * (perf_counter() - began):.0f} ms")  # noqa: T201 (for `-rP`)
        assert {item["status"] for item in answer.json()["items"]} == {200}
