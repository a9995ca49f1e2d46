from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_task
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


class TestDelete:
    @by_role(viewer=403, member=204, admin=204, owner=204)
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
        assert (await caller.delete(f"/tasks/{task['id']}")).status_code == status
        left = (await owner.get(f"/tasks/{task['id']}")).status_code
        assert left == (404 if status == 204 else 200)

    async def test_refuses_a_stale_etag(self, owner: Caller, task: dict[str, Any]) -> None:
        path = f"/tasks/{task['id']}"
        statuses = [(await owner.delete(path, if_match=etag)).status_code for etag in ('"2"', '"1"', '"1"')]
        assert statuses == [412, 204, 404]

    async def test_deleted_task_is_nowhere(self, owner: Caller, task: dict[str, Any]) -> None:
        path, workspace = f"/tasks/{task['id']}", f"/workspaces/{task['workspace_id']}"
        await owner.delete(path)
        assert (await owner.patch(path, {"title": "New"})).status_code == 404
        assert (await owner.put(f"{path}/completion")).status_code == 404
        assert (await owner.delete(f"{path}/completion")).status_code == 404
        assert (await owner.get(f"{workspace}/tasks/{task['key']}")).status_code == 404
        for place in (workspace, f"/projects/{task['project_id']}"):
            page = (await owner.get(f"{place}/tasks", total=True)).json()
            assert page == {"items": [], "next_cursor": None, "total": 0}


class TestRestore:
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
        await owner.delete(f"/tasks/{task['id']}")
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(f"/tasks/{task['id']}/restore")).status_code == status
        left = (await owner.get(f"/tasks/{task['id']}")).status_code
        assert left == (200 if status == 200 else 404)

    async def test_unknown_one_is_not_found(self, owner: Caller) -> None:
        response = await owner.post(f"/tasks/{uuid7()}/restore")
        assert response.json()["error"]["code"] == "TASK_NOT_FOUND"

    async def test_brings_all_of_it_back(self, owner: Caller, project: dict[str, Any]) -> None:
        label = await make_label(owner, project)
        task = await make_task(owner, project, label_ids=[label["id"]], status="done")
        await owner.delete(f"/tasks/{task['id']}")
        response = await owner.post(f"/tasks/{task['id']}/restore")
        assert response.json() == task | {"version": 3, "updated_at": response.json()["updated_at"]}
        assert response.headers["ETag"] == '"3"'

    async def test_of_what_stands_changes_nothing(self, owner: Caller, task: dict[str, Any]) -> None:
        assert (await owner.post(f"/tasks/{task['id']}/restore")).json() == task
