from asyncio import gather
from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

ALWAYS_NEW = ("version", "updated_at")


def apart_from_counters(task: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in task.items() if name not in ALWAYS_NEW}


class TestRefusals:
    @by_role(viewer=403, member=200, admin=200, owner=200)
    async def test_is_for_those_who_work_there(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        task: dict[str, Any],
        role: Role,
        status: int,
    ) -> None:
        await owner.patch(f"/tasks/{task['id']}", {"title": "New"})
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(f"/tasks/{task['id']}/undo")).status_code == status

    async def test_a_viewer_before_all_else(
        self, callers: Callers, workspace: dict[str, Any], task: dict[str, Any]
    ) -> None:
        viewer = await callers.member(workspace["id"], Role.VIEWER)
        assert (await viewer.post(f"/tasks/{task['id']}/undo")).status_code == 403

    async def test_a_stale_etag(self, owner: Caller, task: dict[str, Any]) -> None:
        path = f"/tasks/{task['id']}"
        changed = (await owner.patch(path, {"title": "New"})).json()
        refused = await owner.post(f"{path}/undo", if_match='"1"')
        assert (refused.status_code, refused.json()["error"]["code"]) == (412, "STALE_VERSION")
        assert (await owner.get(path)).json() == changed
        assert (await owner.post(f"{path}/undo", if_match='"2"')).status_code == 200

    async def test_nothing_to_undo(self, owner: Caller, task: dict[str, Any]) -> None:
        path = f"/tasks/{task['id']}"
        refused = await owner.post(f"{path}/undo")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "NOTHING_TO_UNDO")
        await owner.patch(path, {"title": "New"})
        await owner.delete(path)
        assert (await owner.post(f"{path}/undo")).status_code == 404
        await owner.post(f"{path}/restore")
        refused = await owner.post(f"{path}/undo")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "NOTHING_TO_UNDO")

    async def test_a_task_of_a_deleted_project(self, owner: Caller, task: dict[str, Any]) -> None:
        await owner.delete(f"/projects/{task['project_id']}")
        assert (await owner.post(f"/tasks/{task['id']}/undo")).status_code == 404

    async def test_a_label_that_is_gone(self, owner: Caller, project: dict[str, Any]) -> None:
        label = await make_label(owner, project)
        task = await make_task(owner, project, label_ids=[label["id"]])
        path = f"/tasks/{task['id']}"
        await owner.delete(f"/labels/{label['id']}")
        await self._assert_refused(owner, path, "label_ids")

    async def test_an_assignee_who_is_gone(
        self, owner: Caller, callers: Callers, project: dict[str, Any]
    ) -> None:
        member = await callers.member(project["workspace_id"])
        task = await make_task(owner, project, assignee_id=str(member.id))
        path = f"/tasks/{task['id']}"
        await owner.patch(path, {"assignee_id": None, "title": "New"})
        await owner.delete(f"/workspaces/{project['workspace_id']}/members/{member.id}")
        await self._assert_refused(owner, path, "assignee_id")

    async def test_a_completion_that_made_the_next(self, owner: Caller, project: dict[str, Any]) -> None:
        recurrence = {"rule": "FREQ=DAILY", "time_zone": "UTC"}
        task = await make_task(owner, project, due_at="2199-01-01T00:00:00Z", recurrence=recurrence)
        path = f"/tasks/{task['id']}"
        await owner.put(f"{path}/completion")
        await self._assert_refused(owner, path, "next task")

    async def _assert_refused(self, caller: Caller, path: str, reason: str) -> None:
        before = (await caller.get(path)).json()
        refused = await caller.post(f"{path}/undo")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CANNOT_UNDO")
        assert reason in refused.json()["error"]["message"]
        assert (await caller.get(path)).json() == before


async def test_sets_every_field_back(owner: Caller, project: dict[str, Any], task: dict[str, Any]) -> None:
    label = await make_label(owner, project)
    path = f"/tasks/{task['id']}"
    changes = {
        "title": "New",
        "description": "New",
        "status": "done",
        "priority": "high",
        "assignee_id": str(owner.id),
        "label_ids": [label["id"]],
        "due_at": "2026-03-01T00:00:00Z",
        "start_at": "2026-02-01T00:00:00Z",
        "estimate_minutes": 5,
        "recurrence": None,
    }
    changed = (await owner.patch(path, changes)).json()
    undone = await owner.post(f"{path}/undo")
    assert (undone.status_code, undone.headers["ETag"]) == (200, '"3"')
    assert apart_from_counters(undone.json()) == apart_from_counters(task)
    again = (await owner.post(f"{path}/undo")).json()
    assert apart_from_counters(again) == apart_from_counters(changed) | {
        "completed_at": again["completed_at"]
    }
    types = [entry["type"] for entry in (await owner.get(f"{path}/history")).json()["items"]]
    assert types == ["task.updated"] * 3 + ["task.created"]


async def test_undoes_the_last_change_only(owner: Caller, task: dict[str, Any]) -> None:
    path = f"/tasks/{task['id']}"
    await owner.patch(path, {"title": "Kept"})
    await owner.patch(path, {"priority": "high"})
    undone = (await owner.post(f"{path}/undo")).json()
    assert (undone["title"], undone["priority"]) == ("Kept", "none")


async def test_a_rule_comes_back(owner: Caller, project: dict[str, Any]) -> None:
    recurrence = {"rule": "FREQ=DAILY", "time_zone": "UTC"}
    task = await make_task(owner, project, due_at="2199-01-01T00:00:00Z", recurrence=recurrence)
    path = f"/tasks/{task['id']}"
    await owner.patch(path, {"recurrence": None, "due_at": None})
    undone = (await owner.post(f"{path}/undo")).json()
    assert apart_from_counters(undone) == apart_from_counters(task)


async def test_many_at_once_undo_and_redo_in_turn(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    project = await make_project(owner, await make_workspace(owner))
    task = await make_task(owner, project, title="Old")
    path = f"/tasks/{task['id']}"
    await owner.patch(path, {"title": "New"})
    responses = await gather(*(owner.post(f"{path}/undo") for _ in range(10)))
    assert [response.status_code for response in responses] == [200] * 10
    titles = sorted(response.json()["title"] for response in responses)
    assert titles == ["New"] * 5 + ["Old"] * 5
    assert {response.json()["version"] for response in responses} == set(range(3, 13))
