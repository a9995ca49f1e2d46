from asyncio import Semaphore, gather
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from glasswork.core.concurrency import Precondition
from glasswork.features.placement.service import PlacementService
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace, make_workspace_label
from tests.features.workspaces.roles import by_role, with_role
from tests.features.workspaces.waiting import start

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_project(owner, workspace, key="DEV")


async def move(caller: Caller, task: dict[str, Any], project: dict[str, Any], **headers: str) -> Any:
    return await caller.post(f"/tasks/{task['id']}/move", {"project_id": project["id"]}, **headers)


async def find(caller: Caller, workspace: dict[str, Any], key: str) -> Any:
    answer = await caller.get(f"/workspaces/{workspace['id']}/tasks/{key}")
    return answer.json() if answer.status_code == 200 else None


class TestRefusals:
    @by_role(viewer=403, member=200, admin=200, owner=200)
    async def test_is_for_those_who_work_there(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        task: dict[str, Any],
        other: dict[str, Any],
        role: Role,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await move(caller, task, other)).status_code == status

    @pytest.mark.parametrize("which", ["nothing", "foreign", "deleted"])
    async def test_refuses_a_project_that_is_not_there(
        self, owner: Caller, task: dict[str, Any], other: dict[str, Any], which: str
    ) -> None:
        foreign = await make_project(owner, await make_workspace(owner))
        await owner.delete(f"/projects/{other['id']}")
        target = {"nothing": {"id": str(uuid7())}, "foreign": foreign, "deleted": other}[which]
        answer = await move(owner, task, target)
        assert answer.status_code == 422
        fault = answer.json()["error"]["details"]["errors"][0]
        assert (fault["loc"], fault["code"]) == (["body", "project_id"], "unknown_project")
        assert (await owner.get(f"/tasks/{task['id']}")).json() == task

    async def test_finds_no_task_of_a_project_that_is_gone(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any], other: dict[str, Any]
    ) -> None:
        await owner.delete(f"/projects/{project['id']}")
        assert (await move(owner, task, other)).status_code == 404

    async def test_refuses_a_stale_etag(
        self, owner: Caller, task: dict[str, Any], other: dict[str, Any]
    ) -> None:
        statuses = [(await move(owner, task, other, if_match=etag)).status_code for etag in ('"2"', '"1"')]
        assert statuses == [412, 200]


async def test_has_a_new_key_at_the_end_and_is_found_by_the_old_one(
    owner: Caller, workspace: dict[str, Any], task: dict[str, Any], other: dict[str, Any]
) -> None:
    there = await make_task(owner, other)
    answer = await move(owner, task, other)
    moved = answer.json()
    assert moved == task | {
        "project_id": other["id"],
        "key": "DEV-2",
        "position": "a2",
        "version": 2,
        "updated_at": moved["updated_at"],
    }
    assert answer.headers["ETag"] == '"2"'
    assert moved["position"] > there["position"]
    assert await find(owner, workspace, "OPS-1") == await find(owner, workspace, "DEV-2") == moved
    told = (await owner.get(f"/workspaces/{workspace['id']}/changes")).json()["items"][-1]
    assert (told["type"], told["before"]["key"], told["after"]["key"]) == ("task.updated", "OPS-1", "DEV-2")


async def test_keys_lead_on_through_many_moves(
    owner: Caller,
    workspace: dict[str, Any],
    project: dict[str, Any],
    task: dict[str, Any],
    other: dict[str, Any],
) -> None:
    third = await make_project(owner, workspace, key="LAB")
    for target in (other, third):
        await move(owner, task, target)
    moved = (await move(owner, task, project)).json()
    assert moved["key"] == "OPS-2"
    for key in ("OPS-1", "DEV-1", "LAB-1", "OPS-2"):
        assert await find(owner, workspace, key) == moved
    assert (await make_task(owner, project))["key"] == "OPS-3"
    assert (await move(owner, task, project)).json() == moved
    await owner.delete(f"/tasks/{task['id']}")
    assert await find(owner, workspace, "OPS-1") is None


async def test_what_is_below_moves_too_and_what_is_above_stays(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], other: dict[str, Any]
) -> None:
    whole = await make_task(owner, project)
    task = await make_task(owner, project, parent_id=whole["id"])
    part, gone = [await make_task(owner, project, parent_id=task["id"]) for _ in range(2)]
    below = await make_task(owner, project, parent_id=part["id"])
    await owner.delete(f"/tasks/{gone['id']}")
    assert (await move(owner, task, other)).json()["parent_id"] is None
    found = {key: await find(owner, workspace, key) for key in ("OPS-3", "OPS-5")}
    assert (found["OPS-3"]["parent_id"], found["OPS-5"]["parent_id"]) == (task["id"], part["id"])
    assert {each["project_id"] for each in found.values()} == {other["id"]}
    assert found["OPS-5"]["id"] == below["id"]
    back = (await owner.post(f"/tasks/{gone['id']}/restore")).json()
    assert (back["project_id"], back["parent_id"]) == (other["id"], task["id"])
    assert await find(owner, workspace, whole["key"]) == whole


async def test_status_and_completion_come_along(
    owner: Caller, project: dict[str, Any], other: dict[str, Any]
) -> None:
    for status in ("todo", "in_progress", "done"):
        task = await make_task(owner, project, status=status)
        moved = (await move(owner, task, other)).json()
        assert (moved["status"], moved["completed_at"]) == (status, task["completed_at"])


async def test_labels_become_those_of_the_same_name(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], other: dict[str, Any]
) -> None:
    await make_label(owner, await make_project(owner, workspace), name="bug")
    both, only = [await make_label(owner, project, name=name) for name in ("Bug", "only here")]
    same, _ = [await make_label(owner, other, name=name) for name in ("bug", "only there")]
    task, staying = [await make_task(owner, project, label_ids=[both["id"], only["id"]]) for _ in range(2)]
    moved = (await move(owner, task, other)).json()
    assert moved["label_ids"] == [same["id"]]
    assert (await owner.get(f"/tasks/{staying['id']}")).json()["label_ids"] == staying["label_ids"]


async def test_labels_of_the_workspace_stay_as_they_are(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], other: dict[str, Any]
) -> None:
    label = await make_workspace_label(owner, workspace, name="Bug")
    await make_label(owner, other, name="bug")
    task = await make_task(owner, project, label_ids=[label["id"]])
    assert (await move(owner, task, other)).json()["label_ids"] == [label["id"]]


async def test_crossing_moves_end(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    projects = [await make_project(owner, workspace) for _ in range(2)]
    tasks = [await make_task(owner, projects[n % 2]) for n in range(6)]
    for n in (2, 3):
        await owner.patch(f"/tasks/{tasks[n]['id']}", {"parent_id": tasks[n - 2]["id"]})
    connections = Semaphore(20)

    async def cross(n: int) -> int:
        async with connections:
            answer = await move(owner, tasks[n % 6], projects[n // 6 % 2])
            status: int = answer.status_code
            return status

    assert set(await gather(*(cross(n) for n in range(24)))) == {200}
    page = await owner.get(f"/workspaces/{workspace['id']}/tasks")
    assert len({task["key"] for task in page.json()["items"]}) == 6


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"title": "New"}),
        ("PUT", "/completion", None),
        ("PUT", "/position", {"after_id": None}),
        ("PUT", "/archive", None),
        ("DELETE", "", None),
    ],
)
async def test_a_write_finds_the_task_while_it_moves(
    committing_callers: Callers, method: str, path: str, body: Any
) -> None:
    owner, database = await committing_callers.user(), committing_callers.database
    workspace = await make_workspace(owner)
    project, other = [await make_project(owner, workspace) for _ in range(2)]
    task = await make_task(owner, project)
    async with database.system_transaction() as session:
        placement = PlacementService(session)
        await placement.move(owner.actor, UUID(task["id"]), UUID(other["id"]), Precondition())
        answer = await start(database, owner.request(method, f"/tasks/{task['id']}{path}", json=body))
        assert not answer.done()
    assert (await answer).is_success
