from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_task
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


class TestComplete:
    @by_role(viewer=403, member=200, admin=200, owner=200)
    async def test_is_for_those_who_work_there(
        self, callers: Callers, workspace: dict[str, Any], task: dict[str, Any], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.put(f"/tasks/{task['id']}/completion")).status_code == status
        assert (await caller.delete(f"/tasks/{task['id']}/completion")).status_code == status

    async def test_refuses_a_stale_etag(self, owner: Caller, task: dict[str, Any]) -> None:
        for method in ("PUT", "DELETE"):
            response = await owner.request(
                method, f"/tasks/{task['id']}/completion", headers={"if_match": '"2"'}
            )
            assert response.status_code == 412
            assert response.json()["error"]["details"] == {"current_etag": '"1"', "fields": []}
        assert (await owner.get(f"/tasks/{task['id']}")).json() == task

    @pytest.mark.parametrize("status", ["todo", "in_progress"])
    async def test_makes_it_done(self, owner: Caller, project: dict[str, Any], status: str) -> None:
        task = await make_task(owner, project, status=status)
        response = await owner.put(f"/tasks/{task['id']}/completion", if_match='"1"')
        done = response.json()
        assert (response.status_code, response.headers["ETag"]) == (200, '"2"')
        assert (done["status"], done["completed_at"]) == ("done", done["updated_at"])
        assert (await owner.put(f"/tasks/{task['id']}/completion")).json() == done
        assert (await owner.get(f"/tasks/{task['id']}")).json() == done


class TestReopen:
    async def test_makes_it_to_do(self, owner: Caller, project: dict[str, Any]) -> None:
        task = await make_task(owner, project, status="done")
        response = await owner.delete(f"/tasks/{task['id']}/completion", if_match='"1"')
        reopened = response.json()
        assert (response.status_code, response.headers["ETag"]) == (200, '"2"')
        assert (reopened["status"], reopened["completed_at"]) == ("todo", None)
        assert (await owner.delete(f"/tasks/{task['id']}/completion")).json() == reopened

    async def test_leaves_what_is_in_progress(self, owner: Caller, project: dict[str, Any]) -> None:
        task = await make_task(owner, project, status="in_progress")
        assert (await owner.delete(f"/tasks/{task['id']}/completion")).json() == task
