from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_status, make_task
from tests.features.workflow.test_statuses import statuses_of
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


@pytest.fixture
async def status(owner: Caller, project: dict[str, Any]) -> dict[str, Any]:
    return (await statuses_of(owner, project))["in_progress"]


def path_of(status: dict[str, Any], move_to: str | None = None) -> str:
    return f"/statuses/{status['id']}" + ("" if move_to is None else f"?move_to={move_to}")


async def changes_in(owner: Caller, project: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"/workspaces/{project['workspace_id']}/changes"
    items: list[dict[str, Any]] = (await owner.get(path, limit=100)).json()["items"]
    return items


@by_role(viewer=403, member=403, admin=204, owner=204)
async def test_is_for_admins(
    owner: Caller,
    callers: Callers,
    workspace: dict[str, Any],
    project: dict[str, Any],
    role: Role | None,
    status: int,
) -> None:
    caller = await with_role(callers, workspace, role)
    one = (await statuses_of(owner, project))["in_progress"]
    assert (await caller.delete(path_of(one))).status_code == status
    assert (await owner.get(path_of(one))).status_code == (404 if status == 204 else 200)


async def test_refuses_a_stale_etag(owner: Caller, status: dict[str, Any]) -> None:
    answers = [await owner.delete(path_of(status), if_match=etag) for etag in ('"2"', '"1"')]
    assert [answer.status_code for answer in answers] == [412, 204]


@pytest.mark.parametrize("key", ["todo", "done"])
async def test_refuses_the_last_of_its_category(owner: Caller, project: dict[str, Any], key: str) -> None:
    last = (await statuses_of(owner, project))[key]
    for move_to in (None, "in_progress"):
        response = await owner.delete(path_of(last, move_to))
        assert (response.status_code, response.json()["error"]["code"]) == (409, "LAST_STATUS")
        assert response.json()["error"]["details"] == {"category": key}
    await make_status(owner, project, category=key)
    assert (await owner.delete(path_of(last, "in_progress"))).status_code == 204


@pytest.mark.parametrize(
    ("move_to", "code"),
    [(None, "missing"), ("nowhere", "unknown_status"), ("in_progress", "unknown_status")],
)
async def test_refuses_to_leave_tasks_without(
    owner: Caller, project: dict[str, Any], status: dict[str, Any], move_to: str | None, code: str
) -> None:
    task = await make_task(owner, project, status="in_progress")
    await make_status(owner, await make_project(owner, {"id": project["workspace_id"]}), key="nowhere")
    response = await owner.delete(path_of(status, move_to))
    assert response.status_code == 422
    error = response.json()["error"]["details"]["errors"][0]
    assert (error["loc"], error["code"]) == (["query", "move_to"], code)
    assert error["message"].endswith(": todo, done")
    assert (await owner.get(f"/tasks/{task['id']}")).json() == task
    assert (await owner.delete(path_of(status, "todo"))).status_code == 204


async def test_needs_no_other_status_without_tasks(owner: Caller, status: dict[str, Any]) -> None:
    assert (await owner.delete(path_of(status, "nowhere"))).status_code == 422
    assert (await owner.delete(path_of(status))).status_code == 204


@pytest.mark.parametrize("move_to", ["todo", "done"])
async def test_moves_its_tasks(
    owner: Caller, project: dict[str, Any], status: dict[str, Any], move_to: str
) -> None:
    tasks = [await make_task(owner, project, status="in_progress") for _ in range(3)]
    other = await make_task(owner, project)
    seen = len(await changes_in(owner, project))
    assert (await owner.delete(path_of(status, move_to))).status_code == 204
    for task in tasks:
        response = await owner.get(f"/tasks/{task['id']}")
        moved = response.json()
        assert (moved["status"], moved["version"], response.headers["ETag"]) == (move_to, 2, '"2"')
        assert moved["completed_at"] == (moved["updated_at"] if move_to == "done" else None)
    assert (await owner.get(f"/tasks/{other['id']}")).json() == other
    told = [(change["type"], change["subject"]["id"]) for change in (await changes_in(owner, project))[seen:]]
    done = (await statuses_of(owner, project))["done"]
    last = [("status.deleted", status["id"]), ("status.updated", done["id"])]
    assert sorted(told[:3]) == sorted(("task.updated", task["id"]) for task in tasks)
    assert told[3:] == last


async def test_keeps_the_time_from_done_to_done(owner: Caller, project: dict[str, Any]) -> None:
    shipped = await make_status(owner, project, key="shipped", category="done")
    task = await make_task(owner, project, status="shipped")
    await owner.delete(path_of(shipped, "done"))
    after = (await owner.get(f"/tasks/{task['id']}")).json()
    assert (after["status"], after["completed_at"]) == ("done", task["completed_at"])


async def test_moves_deleted_tasks_without_a_word(
    owner: Caller, project: dict[str, Any], status: dict[str, Any]
) -> None:
    task = await make_task(owner, project, status="in_progress")
    await owner.delete(f"/tasks/{task['id']}")
    assert (await owner.delete(path_of(status))).status_code == 422
    assert (await owner.delete(path_of(status, "done"))).status_code == 204
    assert "task.updated" not in {change["type"] for change in await changes_in(owner, project)}
    restored = (await owner.post(f"/tasks/{task['id']}/restore")).json()
    assert (restored["status"], restored["completed_at"] is not None) == ("done", True)


async def test_moves_regardless_of_transitions(
    owner: Caller, project: dict[str, Any], status: dict[str, Any]
) -> None:
    task = await make_task(owner, project, status="in_progress")
    await owner.patch(path_of(status), {"next": []})
    assert (await owner.delete(path_of(status, "done"))).status_code == 204
    assert (await owner.get(f"/tasks/{task['id']}")).json()["status"] == "done"


async def test_leaves_no_gap(owner: Caller, project: dict[str, Any], status: dict[str, Any]) -> None:
    statuses = await statuses_of(owner, project)
    await owner.patch(path_of(statuses["todo"]), {"next": ["in_progress", "done"]})
    await owner.patch(path_of(statuses["done"]), {"next": ["in_progress"]})
    await owner.delete(path_of(status))
    after = await statuses_of(owner, project)
    shown = [(key, each["position"], each["next"], each["version"]) for key, each in after.items()]
    assert shown == [("todo", 0, ["done"], 3), ("done", 1, [], 3)]
    last = (await changes_in(owner, project))[-2:]
    changed = [(change["subject"]["id"], change["after"]["version"]) for change in last]
    assert changed == [(each["id"], 3) for each in after.values()]


async def test_its_key_may_be_given_again(
    owner: Caller, project: dict[str, Any], status: dict[str, Any]
) -> None:
    await owner.delete(path_of(status))
    again = await make_status(owner, project, key="in_progress")
    assert again["id"] != status["id"]
