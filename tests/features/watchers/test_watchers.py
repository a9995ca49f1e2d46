from asyncio import gather
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@by_role(viewer=403, member=200, admin=200, owner=200)
async def test_who_works_there_lets_others_watch(
    owner: Caller,
    callers: Callers,
    workspace: dict[str, Any],
    task: dict[str, Any],
    role: Role,
    status: int,
    method: str,
) -> None:
    caller = await with_role(callers, workspace, role)
    answer = await caller.request(method, f"/tasks/{task['id']}/watchers/{owner.id}")
    assert answer.status_code == status


async def test_a_viewer_watches_for_himself(
    callers: Callers, workspace: dict[str, Any], task: dict[str, Any]
) -> None:
    viewer = await callers.member(workspace["id"], Role.VIEWER)
    path = f"/tasks/{task['id']}/watchers/{viewer.id}"
    assert (await viewer.put(path)).json()["watcher_ids"] == [str(viewer.id)]
    assert (await viewer.delete(path)).json()["watcher_ids"] == []


@pytest.mark.parametrize("who", ["nobody", "stranger", "ex-member"])
async def test_refuses_who_is_no_member(
    owner: Caller, callers: Callers, workspace: dict[str, Any], task: dict[str, Any], who: str
) -> None:
    user_id = uuid7() if who == "nobody" else (await callers.user()).id
    if who == "ex-member":
        user_id = (await callers.member(workspace["id"])).id
        await owner.put(f"/tasks/{task['id']}/watchers/{user_id}")
        await owner.delete(f"/workspaces/{workspace['id']}/members/{user_id}")
    answer = await owner.put(f"/tasks/{task['id']}/watchers/{user_id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "MEMBER_NOT_FOUND")
    freed = await owner.delete(f"/tasks/{task['id']}/watchers/{user_id}")
    assert (freed.status_code, freed.json()["watcher_ids"]) == (200, [])


async def test_refuses_a_stale_etag(owner: Caller, task: dict[str, Any]) -> None:
    path = f"/tasks/{task['id']}/watchers/{owner.id}"
    assert (await owner.put(path, if_match='"2"')).status_code == 412
    assert (await owner.put(path, if_match='"1"')).status_code == 200


async def test_watching_raises_the_version_once(owner: Caller, task: dict[str, Any]) -> None:
    path = f"/tasks/{task['id']}/watchers/{owner.id}"
    watched = (await owner.put(path)).json()
    assert watched == task | {
        "watcher_ids": [str(owner.id)],
        "version": 2,
        "updated_at": watched["updated_at"],
    }
    assert (await owner.put(path)).json() == watched
    changes = (await owner.get(f"/workspaces/{task['workspace_id']}/changes")).json()["items"]
    assert changes[-1]["after"]["watcher_ids"] == [str(owner.id)]
    left = (await owner.delete(path)).json()
    assert (left["watcher_ids"], left["version"]) == ([], 3)
    assert (await owner.delete(path)).json() == left


async def test_all_may_begin_at_once(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    task = await make_task(owner, await make_project(owner, workspace))
    members = [owner, *[await committing_callers.member(workspace["id"]) for _ in range(5)]]
    answers = await gather(*(each.put(f"/tasks/{task['id']}/watchers/{each.id}") for each in members * 2))
    assert {answer.status_code for answer in answers} == {200}
    after = (await owner.get(f"/tasks/{task['id']}")).json()
    assert after["watcher_ids"] == sorted(str(each.id) for each in members)
    assert after["version"] == 7
