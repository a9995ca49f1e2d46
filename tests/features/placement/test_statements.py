"""However many tasks there are."""

from typing import Any

import pytest

from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task
from tests.statements import statements

pytestmark = pytest.mark.anyio


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    return committing_callers


async def test_a_read_is_one(owner: Caller, workspace: dict[str, Any], committing_callers: Callers) -> None:
    projects = [await make_project(owner, workspace) for _ in range(2)]
    task = await make_task(owner, projects[0])
    for number in range(3):
        part = await make_task(owner, projects[0], parent_id=task["id"])
        related = {"kind": "blocks", "task_id": part["id"]}
        await owner.post(f"/tasks/{task['id']}/relations", related)
        paths = ("subtasks", "relations") if number in {0, 2} else ()
        for path in paths:
            with statements(committing_callers.database) as sent:
                page = (await owner.get(f"/tasks/{task['id']}/{path}")).json()
            assert (len(page["items"]), len(sent)) == (number + 1, 1)
    await owner.post(f"/tasks/{task['id']}/move", {"project_id": projects[1]["id"]})
    with statements(committing_callers.database) as sent:
        found = await owner.get(f"/workspaces/{workspace['id']}/tasks/{task['key']}")
    assert (found.json()["id"], len(sent)) == (task["id"], 1)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/move"), ("PUT", "/archive"), ("DELETE", "/archive"), ("DELETE", ""), ("POST", "/restore")],
)
async def test_a_write_is_as_many_with_ten_subtasks_as_with_two(
    owner: Caller, workspace: dict[str, Any], committing_callers: Callers, method: str, path: str
) -> None:
    projects = [await make_project(owner, workspace) for _ in range(2)]
    counts = []
    for size in (2, 10):
        task = await make_task(owner, projects[0])
        for _ in range(size):
            await make_task(owner, projects[0], parent_id=task["id"])
        if method == "DELETE" and path:
            await owner.put(f"/tasks/{task['id']}/archive")
        if path == "/restore":
            await owner.delete(f"/tasks/{task['id']}")
        body = {"project_id": projects[1]["id"]} if path == "/move" else None
        with statements(committing_callers.database) as sent:
            answer = await owner.request(method, f"/tasks/{task['id']}{path}", json=body)
        assert answer.is_success, answer.text
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 20
