from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@by_role(viewer=403, member=200, admin=200, owner=200)
async def test_is_for_those_who_work_there(
    callers: Callers, workspace: dict[str, Any], task: dict[str, Any], role: Role, status: int, method: str
) -> None:
    caller = await with_role(callers, workspace, role)
    assert (await caller.request(method, f"/tasks/{task['id']}/archive")).status_code == status


async def test_refuses_a_stale_etag(owner: Caller, task: dict[str, Any]) -> None:
    for method in ("PUT", "DELETE"):
        answer = await owner.request(method, f"/tasks/{task['id']}/archive", headers={"if_match": '"9"'})
        assert answer.status_code == 412
    assert (await owner.get(f"/tasks/{task['id']}")).json() == task


async def test_goes_and_comes_back_and_repeating_changes_nothing(owner: Caller, task: dict[str, Any]) -> None:
    path = f"/tasks/{task['id']}"
    answer = await owner.put(f"{path}/archive", if_match='"1"')
    archived = answer.json()
    assert archived == task | dict.fromkeys(("archived_at", "updated_at"), archived["updated_at"]) | {
        "version": 2
    }
    assert answer.headers["ETag"] == '"2"'
    assert (await owner.put(f"{path}/archive")).json() == archived
    back = (await owner.delete(f"{path}/archive")).json()
    assert (back["archived_at"], back["version"]) == (None, 3)
    assert (await owner.delete(f"{path}/archive")).json() == back


async def test_takes_what_is_below_along_and_brings_it_back(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    project = await make_project(owner, await make_workspace(owner))
    whole = await make_task(owner, project)
    parts = [await make_task(owner, project, parent_id=whole["id"]) for _ in range(3)]
    await owner.put(f"/tasks/{parts[0]['id']}/archive")
    await owner.delete(f"/tasks/{parts[1]['id']}")
    await owner.put(f"/tasks/{whole['id']}/archive")
    moments = [(await owner.get(f"/tasks/{parts[n]['id']}")).json()["archived_at"] for n in (0, 2)]
    assert None not in moments
    changes = (await owner.get(f"/workspaces/{project['workspace_id']}/changes")).json()["items"]
    told = sorted(change["subject"]["id"] for change in changes[-2:])
    assert told == sorted([whole["id"], parts[2]["id"]])
    await owner.delete(f"/tasks/{whole['id']}/archive")
    after = [(await owner.get(f"/tasks/{parts[n]['id']}")).json()["archived_at"] for n in (0, 2)]
    assert after == [moments[0], None]  # it was archived before
