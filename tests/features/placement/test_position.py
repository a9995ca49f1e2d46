from asyncio import Semaphore, gather
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


async def order(caller: Caller, project: dict[str, Any]) -> list[str]:
    page = await caller.get(f"/projects/{project['id']}/tasks", sort="position", limit=100)
    return [task["id"] for task in page.json()["items"]]


async def put_behind(caller: Caller, task: dict[str, Any], other: dict[str, Any] | None) -> Any:
    answer = await caller.put(f"/tasks/{task['id']}/position", {"after_id": other and other["id"]})
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestRefusals:
    @by_role(viewer=403, member=200, admin=200, owner=200)
    async def test_is_for_those_who_work_there(
        self, callers: Callers, workspace: dict[str, Any], task: dict[str, Any], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        answer = await caller.put(f"/tasks/{task['id']}/position", {"after_id": None})
        assert answer.status_code == status

    @pytest.mark.parametrize("which", ["nothing", "itself", "foreign", "deleted"])
    async def test_refuses_what_it_cannot_follow(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], which: str
    ) -> None:
        task, deleted = [await make_task(owner, project) for _ in range(2)]
        await owner.delete(f"/tasks/{deleted['id']}")
        foreign = await make_task(owner, await make_project(owner, workspace))
        ids = {
            "nothing": str(uuid7()),
            "itself": task["id"],
            "foreign": foreign["id"],
            "deleted": deleted["id"],
        }
        answer = await owner.put(f"/tasks/{task['id']}/position", {"after_id": ids[which]})
        assert answer.status_code == 422
        fault = answer.json()["error"]["details"]["errors"][0]
        assert (fault["loc"], fault["code"]) == (["body", "after_id"], "unknown_task")

    async def test_a_task_of_a_deleted_project_is_gone(
        self, owner: Caller, workspace: dict[str, Any], task: dict[str, Any]
    ) -> None:
        other = await make_task(owner, await make_project(owner, workspace))
        await owner.delete(f"/projects/{task['project_id']}")
        answer = await owner.put(f"/tasks/{task['id']}/position", {"after_id": other["id"]})
        assert answer.status_code == 404

    async def test_refuses_a_stale_etag(self, owner: Caller, project: dict[str, Any]) -> None:
        one, other = [await make_task(owner, project) for _ in range(2)]
        path, body = f"/tasks/{one['id']}/position", {"after_id": other["id"]}
        statuses = [(await owner.put(path, body, if_match=etag)).status_code for etag in ('"2"', '"1"')]
        assert statuses == [412, 200]

    async def test_names_its_place(self, owner: Caller, task: dict[str, Any]) -> None:
        assert (await owner.put(f"/tasks/{task['id']}/position", {})).status_code == 422


async def test_goes_behind_another_or_to_the_front(owner: Caller, project: dict[str, Any]) -> None:
    a, b, c, d = [await make_task(owner, project) for _ in range(4)]
    moved = await put_behind(owner, a, c)
    assert moved == a | {name: moved[name] for name in ("position", "updated_at")} | {"version": 2}
    assert await order(owner, project) == [b["id"], c["id"], a["id"], d["id"]]
    await put_behind(owner, d, None)
    assert await order(owner, project) == [d["id"], b["id"], c["id"], a["id"]]
    await put_behind(owner, b, a)
    assert await order(owner, project) == [d["id"], c["id"], a["id"], b["id"]]
    new = await make_task(owner, project)
    assert (await order(owner, project))[-1] == new["id"]


async def test_where_it_is_nothing_changes(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    other = await make_project(owner, workspace)
    first, *_, last = [await make_task(owner, other) for _ in range(3)]
    await put_behind(owner, last, first)
    a, gone, b = [await make_task(owner, project) for _ in range(3)]
    await owner.delete(f"/tasks/{gone['id']}")
    assert await put_behind(owner, a, None) == a
    assert await put_behind(owner, b, a) == b
    assert (await put_behind(owner, b, None))["version"] == 2


async def test_a_deleted_task_comes_back_to_its_place(owner: Caller, project: dict[str, Any]) -> None:
    a, gone, b, c = [await make_task(owner, project) for _ in range(4)]
    await owner.delete(f"/tasks/{gone['id']}")
    await put_behind(owner, c, a)
    await owner.post(f"/tasks/{gone['id']}/restore")
    assert await order(owner, project) == [a["id"], c["id"], gone["id"], b["id"]]


async def test_many_moves_at_once_leave_an_order(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    project = await make_project(owner, await make_workspace(owner))
    tasks = [await make_task(owner, project) for _ in range(10)]
    connections = Semaphore(20)  # as many as there are, or the wait for one could end in a 503

    async def move(n: int) -> int:
        other = None if n % 3 == 0 else tasks[n % 3]["id"]
        async with connections:
            path = f"/tasks/{tasks[3 + n % 7]['id']}/position"
            return (await owner.put(path, {"after_id": other})).status_code

    statuses = await gather(*(move(n) for n in range(50)))
    assert set(statuses) == {200}, statuses
    page = (await owner.get(f"/projects/{project['id']}/tasks", sort="position")).json()["items"]
    positions = [task["position"] for task in page]
    assert positions == sorted(set(positions))
    assert {task["id"] for task in page} == {task["id"] for task in tasks}
