from typing import Any

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


class TestCreate:
    @by_role(viewer=403, member=201, admin=201, owner=201)
    async def test_is_for_those_who_work_there(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        project: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        response = await caller.post(f"/projects/{project['id']}/tasks", {"title": "New"})
        assert response.status_code == status
        if role is None:
            assert response.json()["error"]["code"] == "PROJECT_NOT_FOUND"

    async def test_refuses_bad_input(self, owner: Caller, project: dict[str, Any]) -> None:
        faults: list[dict[str, Any]] = [
            *({"title": title} for title in (None, "", " ", "a" * 257, "a\0b", 7)),
            *({"status": status} for status in ("To do", "", 1)),
            *({"priority": priority} for priority in ("highest", None)),
            *({"estimate_minutes": estimate} for estimate in (-1, 1_000_001, 1.5, "5", 10**100)),
            *({"due_at": at} for at in ("tomorrow", "2026-01-01T00:00:00", "1899-01-01T00:00:00Z", 0)),
            *({"due_at": at} for at in ("1900-01-01T00:00:00+23:59", "9000-12-31T23:59:59-23:59")),
            *({"assignee_id": user_id} for user_id in ("me", "")),
            {"description": "a" * 65_537},
            {"number": 7},
        ]
        for fault in faults:
            response = await owner.post(f"/projects/{project['id']}/tasks", {"title": "New"} | fault)
            assert response.status_code == 422, fault
            assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", *fault]
        assert (await owner.get(f"/projects/{project['id']}/tasks")).json()["items"] == []

    async def test_unknown_status_is_told_which_there_are(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        response = await owner.post(f"/projects/{project['id']}/tasks", {"title": "New", "status": "later"})
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"] == [
            {
                "loc": ["body", "status"],
                "code": "unknown_status",
                "message": "must be one of: todo, in_progress, done",
            }
        ]

    async def test_refuses_the_label_of_another_project(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        own = await make_label(owner, project)
        foreign = await make_label(owner, await make_project(owner, workspace))
        for label_ids in ([own["id"], foreign["id"]], [str(uuid7())]):
            body = {"title": "New", "label_ids": label_ids}
            response = await owner.post(f"/projects/{project['id']}/tasks", body)
            assert response.status_code == 422
            assert response.json()["error"]["details"]["errors"][0]["code"] == "unknown_label"

    @pytest.mark.parametrize("who", ["stranger", "removed member", "nobody"])
    async def test_refuses_an_assignee_from_outside(
        self, owner: Caller, callers: Callers, project: dict[str, Any], who: str
    ) -> None:
        assignee_id = uuid7() if who == "nobody" else (await callers.user()).id
        if who == "removed member":
            assignee_id = (await callers.member(project["workspace_id"])).id
            await owner.delete(f"/workspaces/{project['workspace_id']}/members/{assignee_id}")
        body = {"title": "New", "assignee_id": str(assignee_id)}
        response = await owner.post(f"/projects/{project['id']}/tasks", body)
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"][0]["code"] == "unknown_assignee"

    async def test_stores_every_field(self, owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
        viewer = await callers.member(project["workspace_id"], Role.VIEWER)
        labels = [await make_label(owner, project) for _ in range(2)]
        new = {
            "title": "Close port 8080",
            "description": "# Why\r\n\n* `nmap` 🛡\n",
            "status": "in_progress",
            "priority": "urgent",
            "assignee_id": str(viewer.id),
            "label_ids": [label["id"] for label in labels],
            "due_at": "2026-03-01T12:00:00+02:00",
            "start_at": "2026-02-28T00:00:00.123456Z",
            "estimate_minutes": 90,
            "recurrence": {"rule": "FREQ=MONTHLY;BYMONTHDAY=-1", "time_zone": "Europe/Berlin"},
        }
        doubled = new | {"title": " Close port 8080 ", "label_ids": [label["id"] for label in labels * 2]}
        response = await owner.post(f"/projects/{project['id']}/tasks", doubled)
        made = response.json()
        assert response.status_code == 201
        assert made == new | {
            "id": made["id"],
            "workspace_id": project["workspace_id"],
            "project_id": project["id"],
            "parent_id": None,
            "position": "a1",
            "watcher_ids": [],
            "archived_at": None,
            "key": "OPS-1",
            "due_at": "2026-03-01T10:00:00Z",
            "external": None,
            "version": 1,
            "created_by": str(owner.id),
            "created_at": made["created_at"],
            "updated_at": made["created_at"],
            "completed_at": None,
        }
        assert response.headers["ETag"] == '"1"'
        assert response.headers["Location"] == f"/api/v1/tasks/{made['id']}"
        assert (await owner.get(f"/tasks/{made['id']}")).json() == made

    async def test_needs_only_a_title(self, owner: Caller, project: dict[str, Any]) -> None:
        made = await make_task(owner, project, status=None)
        assert (made["status"], made["priority"], made["description"]) == ("todo", "none", "")
        assert (made["assignee_id"], made["label_ids"], made["completed_at"]) == (None, [], None)

    async def test_made_done_is_completed(self, owner: Caller, project: dict[str, Any]) -> None:
        made = await make_task(owner, project, status="done")
        assert made["completed_at"] == made["created_at"]

    async def test_numbers_count_up_in_each_project(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        other = await make_project(owner, workspace, key="DEV")
        made = [await make_task(owner, place) for place in (project, project, other, project)]
        assert [task["key"] for task in made] == ["OPS-1", "OPS-2", "DEV-1", "OPS-3"]

    async def test_number_of_a_deleted_task_is_not_given_again(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        await owner.delete(f"/tasks/{task['id']}")
        assert (await make_task(owner, project))["key"] == "OPS-2"

    async def test_leaves_the_project_as_it_was(
        self, owner: Caller, callers: Callers, project: dict[str, Any]
    ) -> None:
        async with callers.database.system_transaction() as session:
            await session.execute(text("UPDATE projects SET updated_at = now() - interval '1 day'"))
        before = (await owner.get(f"/projects/{project['id']}")).json()
        await make_task(owner, project)
        assert (await owner.get(f"/projects/{project['id']}")).json() == before


class TestGet:
    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_is_for_members(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        task: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        for path in (f"/tasks/{task['id']}", f"/workspaces/{workspace['id']}/tasks/{task['key']}"):
            response = await caller.get(path)
            assert response.status_code == status
            if role is None:
                assert response.json()["error"]["code"] == "TASK_NOT_FOUND"
            else:
                assert response.json() == task
                assert response.headers["ETag"] == '"1"'

    @pytest.mark.parametrize("key", ["OPS-2", "DEV-1", "OPS-999999999"])
    async def test_unknown_key_is_not_found(
        self, owner: Caller, workspace: dict[str, Any], task: dict[str, Any], key: str
    ) -> None:
        assert task["key"] == "OPS-1"
        assert (await owner.get(f"/workspaces/{workspace['id']}/tasks/{key}")).status_code == 404

    @pytest.mark.parametrize("key", ["OPS", "OPS-0", "OPS-01", "ops-1", "OPS-1000000000", "OPS-1-1"])
    async def test_refuses_what_is_no_key(self, owner: Caller, workspace: dict[str, Any], key: str) -> None:
        assert (await owner.get(f"/workspaces/{workspace['id']}/tasks/{key}")).status_code == 422

    async def test_key_belongs_to_a_workspace(self, owner: Caller, task: dict[str, Any]) -> None:
        other = await make_workspace(owner)
        assert (await owner.get(f"/workspaces/{other['id']}/tasks/{task['key']}")).status_code == 404

    async def test_key_belongs_to_the_project_that_stands(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        await owner.delete(f"/projects/{project['id']}")
        again = await make_task(owner, await make_project(owner, workspace, key="OPS"))
        response = await owner.get(f"/workspaces/{workspace['id']}/tasks/{task['key']}")
        assert response.json() == again

    @pytest.mark.parametrize("container", ["project", "workspace"])
    async def test_goes_with_what_holds_it(
        self, owner: Caller, workspace: dict[str, Any], task: dict[str, Any], container: str
    ) -> None:
        gone = f"/{container}s/{task[f'{container}_id']}"
        await owner.delete(gone)
        assert (await owner.get(f"/tasks/{task['id']}")).status_code == 404
        assert (await owner.patch(f"/tasks/{task['id']}", {"title": "New"})).status_code == 404
        assert (await owner.post(f"/tasks/{task['id']}/restore")).status_code == 404
        assert (await owner.get(f"{gone}/tasks")).status_code == 404
        everywhere = await owner.get(f"/workspaces/{workspace['id']}/tasks")
        assert everywhere.json().get("items", []) == []
