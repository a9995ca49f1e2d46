from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


@by_role(viewer=200, member=200, admin=200, owner=200)
async def test_subtasks_are_for_members(
    callers: Callers, workspace: dict[str, Any], task: dict[str, Any], role: Role, status: int
) -> None:
    caller = await with_role(callers, workspace, role)
    assert (await caller.get(f"/tasks/{task['id']}/subtasks")).status_code == status


async def test_those_of_what_is_not_there_are_not_found(owner: Caller, project: dict[str, Any]) -> None:
    task = await make_task(owner, project)
    await make_task(owner, project, parent_id=task["id"])
    await owner.delete(f"/tasks/{task['id']}")
    for task_id in (uuid7(), task["id"]):
        assert (await owner.get(f"/tasks/{task_id}/subtasks")).status_code == 404


async def test_subtasks_come_in_pages_with_the_progress_of_all(
    owner: Caller, project: dict[str, Any]
) -> None:
    task = await make_task(owner, project)
    empty = (await owner.get(f"/tasks/{task['id']}/subtasks")).json()
    assert empty == {"items": [], "next_cursor": None, "total": None, "progress": {"done": 0, "total": 0}}
    parts = [await make_task(owner, project, parent_id=task["id"]) for _ in range(4)]
    below = await make_task(owner, project, parent_id=parts[0]["id"])
    await owner.put(f"/tasks/{below['id']}/completion")
    await owner.put(f"/tasks/{parts[0]['id']}/completion")
    await owner.put(f"/tasks/{parts[3]['id']}/archive")
    await owner.delete(f"/tasks/{parts[1]['id']}")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await owner.get(f"/tasks/{task['id']}/subtasks", limit=2, **cursor)).json()
        assert page["progress"] == {"done": 1, "total": 3}
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [parts[n]["id"] for n in (0, 2, 3)]


async def test_a_subtask_goes_when_its_project_goes(owner: Caller, workspace: dict[str, Any]) -> None:
    project = await make_project(owner, workspace)
    task = await make_task(owner, project)
    await make_task(owner, project, parent_id=task["id"])
    await owner.delete(f"/projects/{project['id']}")
    assert (await owner.get(f"/tasks/{task['id']}/subtasks")).status_code == 404
