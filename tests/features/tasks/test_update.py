from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

NOBODY = "018f0000-0000-7000-8000-000000000000"


async def age(callers: Callers, task: dict[str, Any]) -> dict[str, Any]:
    """Let a day pass since the task was changed."""
    statement = "UPDATE tasks SET updated_at = now() - interval '1 day' WHERE id = :id RETURNING updated_at"
    async with callers.database.system_transaction() as session:
        at: datetime = (await session.execute(text(statement), {"id": task["id"]})).scalar_one()
    return task | {"updated_at": at.isoformat().replace("+00:00", "Z")}


class TestRefusals:
    @by_role(viewer=403, member=200, admin=200, owner=200)
    async def test_is_for_those_who_work_there(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        task: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        response = await caller.patch(f"/tasks/{task['id']}", {"title": "New"})
        assert response.status_code == status
        if status != 200:
            assert (await owner.get(f"/tasks/{task['id']}")).json() == task

    @pytest.mark.parametrize("name", ["title", "description", "status", "priority", "label_ids"])
    async def test_null_clears_only_what_may_be_empty(
        self, owner: Caller, task: dict[str, Any], name: str
    ) -> None:
        response = await owner.patch(f"/tasks/{task['id']}", {name: None})
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", name]

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("status", "later", "unknown_status"),
            ("assignee_id", NOBODY, "unknown_assignee"),
            ("label_ids", [NOBODY], "unknown_label"),
            ("key", "OPS-2", "extra_forbidden"),
            ("project_id", NOBODY, "extra_forbidden"),
            ("version", 2, "extra_forbidden"),
        ],
    )
    async def test_refuses_what_it_cannot_be(
        self, owner: Caller, task: dict[str, Any], name: str, value: Any, code: str
    ) -> None:
        response = await owner.patch(f"/tasks/{task['id']}", {"title": "New", name: value})
        assert response.status_code == 422
        fault = response.json()["error"]["details"]["errors"][0]
        assert (fault["loc"], fault["code"]) == (["body", name], code)
        assert (await owner.get(f"/tasks/{task['id']}")).json() == task

    async def test_refuses_the_label_of_another_project(
        self, owner: Caller, workspace: dict[str, Any], task: dict[str, Any]
    ) -> None:
        foreign = await make_label(owner, await make_project(owner, workspace))
        response = await owner.patch(f"/tasks/{task['id']}", {"label_ids": [foreign["id"]]})
        assert response.status_code == 422

    async def test_refuses_a_stale_etag(self, owner: Caller, task: dict[str, Any]) -> None:
        path = f"/tasks/{task['id']}"
        await owner.patch(path, {"title": "Theirs", "priority": "high"}, if_match='"1"')
        mine = {"title": "Mine", "priority": "high", "status": "done"}
        response = await owner.patch(path, mine, if_match='"1"')
        assert response.status_code == 412
        assert response.json()["error"]["code"] == "STALE_VERSION"
        details = response.json()["error"]["details"]
        assert details["current_etag"] == '"2"'
        assert sorted(details["fields"]) == ["status", "title"]
        assert (await owner.get(path)).json()["title"] == "Theirs"

    async def test_the_same_labels_overwrite_nothing(self, owner: Caller, project: dict[str, Any]) -> None:
        ids = [(await make_label(owner, project))["id"] for _ in range(2)]
        task = await make_task(owner, project, label_ids=ids)
        for label_ids, fields in ((ids[::-1] * 2, []), (ids[:1], ["label_ids"])):
            body = {"label_ids": label_ids, "title": task["title"]}
            response = await owner.patch(f"/tasks/{task['id']}", body, if_match='"7"')
            assert response.json()["error"]["details"]["fields"] == fields

    @pytest.mark.parametrize(
        ("if_match", "status"),
        [
            ('"1"', 200),
            ("*", 200),
            ('"7", "1"', 200),
            ('W/"1"', 412),
            ('"01"', 412),
            ('"x"', 412),
            ("1", 422),
            ('"1', 422),
        ],
    )
    async def test_reads_if_match(
        self, owner: Caller, task: dict[str, Any], if_match: str, status: int
    ) -> None:
        response = await owner.patch(f"/tasks/{task['id']}", {"title": "New"}, if_match=if_match)
        assert response.status_code == status


class TestChanges:
    @pytest.mark.parametrize(
        "changes",
        [
            {"title": "New"},
            {"description": "New\r\n"},
            {"status": "in_progress"},
            {"priority": "low"},
            {"due_at": "2026-01-01T00:00:00Z"},
            {"start_at": "2026-01-01T00:00:00Z"},
            {"estimate_minutes": 0},
            {"title": "New", "priority": "high", "estimate_minutes": 5},
        ],
        ids="+".join,
    )
    async def test_changes_what_is_sent(
        self, owner: Caller, task: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        response = await owner.patch(f"/tasks/{task['id']}", changes)
        assert response.json() == task | changes | {
            "version": 2,
            "updated_at": response.json()["updated_at"],
        }
        assert response.headers["ETag"] == '"2"'
        assert (await owner.get(f"/tasks/{task['id']}")).json() == response.json()

    async def test_null_clears(self, owner: Caller, project: dict[str, Any]) -> None:
        at = "2026-01-01T00:00:00Z"
        full = {"assignee_id": str(owner.id), "due_at": at, "start_at": at, "estimate_minutes": 5}
        task = await make_task(owner, project, **full)
        for name in full:
            response = await owner.patch(f"/tasks/{task['id']}", {name: None})
            task |= {name: None, "version": task["version"] + 1}
            assert response.json() == task

    async def test_assigns_a_member(self, owner: Caller, callers: Callers, task: dict[str, Any]) -> None:
        member = await callers.member(task["workspace_id"])
        response = await owner.patch(f"/tasks/{task['id']}", {"assignee_id": str(member.id)})
        assert response.json()["assignee_id"] == str(member.id)

    async def test_task_of_somebody_who_left_can_still_change(
        self, owner: Caller, callers: Callers, project: dict[str, Any]
    ) -> None:
        member = await callers.member(project["workspace_id"])
        task = await make_task(member, project, assignee_id=str(member.id))
        await owner.delete(f"/workspaces/{project['workspace_id']}/members/{member.id}")
        response = await owner.patch(f"/tasks/{task['id']}", {"title": "New"})
        assert response.json()["assignee_id"] == response.json()["created_by"] == str(member.id)

    async def test_labels_replace_those_before(
        self, owner: Caller, callers: Callers, project: dict[str, Any]
    ) -> None:
        ids = [(await make_label(owner, project))["id"] for _ in range(3)]
        task = await age(callers, await make_task(owner, project, label_ids=ids[:2]))
        response = await owner.patch(f"/tasks/{task['id']}", {"label_ids": ids[1:]})
        assert response.json()["label_ids"] == ids[1:]
        assert response.headers["ETag"] == '"2"'
        assert response.json()["updated_at"] > task["updated_at"]
        emptied = await owner.patch(f"/tasks/{task['id']}", {"label_ids": []})
        assert (emptied.json()["label_ids"], emptied.headers["ETag"]) == ([], '"3"')

    async def test_raises_the_version_once_however_much_changes(
        self, owner: Caller, project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        changes = {
            "title": "New",
            "status": "done",
            "label_ids": [(await make_label(owner, project))["id"]],
            "assignee_id": str(owner.id),
        }
        response = await owner.patch(f"/tasks/{task['id']}", changes)
        assert response.json() == task | changes | {
            "version": 2,
            "updated_at": response.json()["updated_at"],
            "completed_at": response.json()["completed_at"],
        }

    async def test_without_a_change_keeps_etag_and_time(
        self, owner: Caller, callers: Callers, project: dict[str, Any]
    ) -> None:
        ids = [(await make_label(owner, project))["id"] for _ in range(2)]
        same = {
            "title": "Same",
            "description": "Same",
            "status": "done",
            "priority": "low",
            "assignee_id": str(owner.id),
            "due_at": "2026-01-01T01:00:00+01:00",
            "estimate_minutes": 5,
        }
        task = await age(callers, await make_task(owner, project, label_ids=ids, **same))
        for changes in ({}, same | {"label_ids": ids[::-1]}, {"title": " Same "}):
            response = await owner.patch(f"/tasks/{task['id']}", changes)
            assert response.json() == task
            assert response.headers["ETag"] == '"1"'

    async def test_completion_follows_the_status(
        self, owner: Caller, callers: Callers, task: dict[str, Any]
    ) -> None:
        path = f"/tasks/{task['id']}"
        await age(callers, task)
        done = (await owner.patch(path, {"status": "done"})).json()
        assert done["completed_at"] == done["updated_at"]
        retitled = (await owner.patch(path, {"status": "done", "title": "New"})).json()
        assert retitled["completed_at"] == done["completed_at"]
        reopened = (await owner.patch(path, {"status": "in_progress"})).json()
        assert (reopened["status"], reopened["completed_at"]) == ("in_progress", None)
