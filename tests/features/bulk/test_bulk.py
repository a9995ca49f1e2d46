from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


async def bulk(caller: Caller, workspace: dict[str, Any], mode: str, *operations: dict[str, Any]) -> Any:
    path = f"/workspaces/{workspace['id']}/tasks/bulk"
    return await caller.post(path, {"mode": mode, "operations": operations})


def update(task: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"op": "update", "task_id": task["id"], **fields}


async def count_events(caller: Caller, workspace: dict[str, Any]) -> int:
    return len((await caller.get(f"/workspaces/{workspace['id']}/changes")).json()["items"])


class TestRefusals:
    @by_role(viewer=403, member=200, admin=200, owner=200)
    async def test_is_for_those_who_work_there(
        self, callers: Callers, workspace: dict[str, Any], task: dict[str, Any], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        for mode in ("atomic", "best_effort"):
            assert (await bulk(caller, workspace, mode, update(task, title="New"))).status_code == status

    @pytest.mark.parametrize(
        "fault",
        [
            {"mode": "some"},
            {"operations": []},
            {"operations": [{"op": "restore", "task_id": str(uuid7())}] * 501},
            {"operations": [{"op": "burn", "task_id": str(uuid7())}]},
            {"operations": [{"op": "update", "task_id": str(uuid7()), "key": "OPS-9"}]},
            {"operations": [{"op": "complete"}]},
            {
                "operations": [
                    {"op": "update", "task_id": str(uuid7()), "due_at": "1900-01-01T00:00:00+01:00"}
                ]
            },
        ],
    )
    async def test_refuses_bad_input(
        self, owner: Caller, workspace: dict[str, Any], task: dict[str, Any], fault: dict[str, Any]
    ) -> None:
        body = {"mode": "atomic", "operations": [update(task, title="New")]}
        answer = await owner.post(f"/workspaces/{workspace['id']}/tasks/bulk", body | fault)
        assert answer.status_code == 422
        assert (await owner.post(f"/workspaces/{workspace['id']}/tasks/bulk", body)).status_code == 200

    @pytest.mark.parametrize(
        ("wrong", "status", "code"),
        [
            ({"op": "update", "status": "later"}, 422, "VALIDATION_ERROR"),
            ({"op": "update", "title": "New", "if_match": 7}, 412, "STALE_VERSION"),
            ({"op": "delete", "task_id": str(uuid7())}, 404, "TASK_NOT_FOUND"),
            ({"op": "create", "title": "New", "project_id": str(uuid7())}, 404, "PROJECT_NOT_FOUND"),
        ],
    )
    async def test_of_all_or_nothing_one_refusal_undoes_all(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        task: dict[str, Any],
        wrong: dict[str, Any],
        status: int,
        code: str,
    ) -> None:
        wrong = wrong if wrong["op"] == "create" else {"task_id": task["id"]} | wrong
        before = await count_events(owner, workspace)
        answer = await bulk(owner, workspace, "atomic", update(task, title="New"), wrong, update(task))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["details"]["index"]) == (status, code, 1)
        if status == 422:
            assert error["details"]["errors"][0]["loc"] == ["body", "operations", 1, "status"]
        assert (await owner.get(f"/tasks/{task['id']}")).json() == task
        assert await count_events(owner, workspace) == before

    async def test_reaches_into_no_other_workspace(
        self, owner: Caller, workspace: dict[str, Any], task: dict[str, Any]
    ) -> None:
        foreign = await make_project(owner, await make_workspace(owner))
        theirs = await make_task(owner, foreign)
        operations = [
            update(theirs, title="New"),
            {"op": "create", "title": "New", "project_id": foreign["id"]},
            {"op": "move", "task_id": task["id"], "project_id": foreign["id"]},
            {"op": "position", "task_id": task["id"], "after_id": theirs["id"]},
            update(task, parent_id=theirs["id"]),
        ]
        items = (await bulk(owner, workspace, "best_effort", *operations)).json()["items"]
        assert [item["status"] for item in items] == [404, 404, 422, 422, 422]
        assert (await owner.get(f"/tasks/{theirs['id']}")).json() == theirs


async def test_best_effort_does_what_can_be_done(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    a, b, c = [await make_task(owner, project) for _ in range(3)]
    label = await make_label(owner, project)
    before = await count_events(owner, workspace)
    operations = [
        update(a, title="New", if_match=1),
        update(a, title="Stale", if_match=1),
        update(b, title="Half", label_ids=[label["id"]], status="later"),
        {"op": "complete", "task_id": c["id"]},
        {"op": "complete", "task_id": c["id"]},
        update(a, priority="high"),
    ]
    answer = await bulk(owner, workspace, "best_effort", *operations)
    items = answer.json()["items"]
    assert answer.status_code == 200
    assert [item["index"] for item in items] == list(range(6))
    assert [item["status"] for item in items] == [200, 412, 422, 200, 200, 200]
    assert [item["error"] and item["error"]["code"] for item in items[:3]] == [
        None,
        "STALE_VERSION",
        "VALIDATION_ERROR",
    ]
    assert items[1]["error"]["details"] == {"current_etag": '"2"', "fields": ["title"], "index": 1}
    assert items[1]["task"] is None
    for item, task in ((items[5], a), (items[4], c)):
        assert item["task"] == (await owner.get(f"/tasks/{task['id']}")).json()
    assert (await owner.get(f"/tasks/{b['id']}")).json() == b
    assert await count_events(owner, workspace) == before + 3


async def test_what_is_refused_half_way_leaves_nothing(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    task = await make_task(owner, project)
    wrong = {"op": "create", "title": "New", "project_id": project["id"], "parent_id": str(uuid7())}
    answer = await bulk(owner, workspace, "best_effort", wrong, update(task, title="New"))
    assert [item["status"] for item in answer.json()["items"]] == [422, 200]
    assert len((await owner.get(f"/projects/{project['id']}/tasks")).json()["items"]) == 1


@pytest.mark.parametrize("mode", ["atomic", "best_effort"])
async def test_every_operation_is_as_it_is_alone(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], mode: str
) -> None:
    other = await make_project(owner, workspace)
    a, b = [await make_task(owner, project) for _ in range(2)]
    part = await make_task(owner, project, parent_id=a["id"])
    operations = [
        {"op": "create", "title": "Made", "project_id": project["id"], "parent_id": b["id"]},
        {"op": "position", "task_id": b["id"], "after_id": None},
        {"op": "complete", "task_id": a["id"]},
        {"op": "reopen", "task_id": a["id"]},
        {"op": "archive", "task_id": a["id"]},
        {"op": "unarchive", "task_id": a["id"]},
        {"op": "move", "task_id": a["id"], "project_id": other["id"]},
        {"op": "delete", "task_id": b["id"]},
        {"op": "restore", "task_id": b["id"]},
        update(part, title="Part", if_match=4),
    ]
    answer = await bulk(owner, workspace, mode, *operations)
    items = answer.json()["items"]
    assert [item["status"] for item in items] == [201, 200, 200, 200, 200, 200, 200, 204, 200, 200]
    assert items[7]["task"] is None
    for item, task in ((items[6], a), (items[8], b), (items[9], part), (items[0], items[0]["task"])):
        now = (await owner.get(f"/tasks/{task['id']}")).json()
        assert now["version"] >= item["task"]["version"]
        assert now["title"] == item["task"]["title"]
    assert items[9]["task"]["key"] == f"{other['key']}-2"
