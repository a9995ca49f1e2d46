from datetime import datetime
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_task

pytestmark = pytest.mark.anyio


async def history_of(caller: Caller, task: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    answer = await caller.get(f"/tasks/{task['id']}/history", **query)
    assert answer.status_code == 200
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def changes_in(entry: dict[str, Any]) -> dict[str, list[Any]]:
    return {change["field"]: [change["before"], change["after"]] for change in entry["changes"]}


async def test_is_not_for_outsiders(owner: Caller, callers: Callers, task: dict[str, Any]) -> None:
    path = f"/tasks/{task['id']}/history"
    assert (await (await callers.user()).get(path)).status_code == 404
    assert (await owner.get(f"/tasks/{uuid7()}/history")).status_code == 404
    assert (await owner.get(path)).status_code == 200


async def test_tells_who_changed_what_newest_first(
    owner: Caller, callers: Callers, task: dict[str, Any]
) -> None:
    member = await callers.member(task["workspace_id"])
    path = f"/tasks/{task['id']}"
    await member.patch(path, {"priority": "high", "due_at": "2026-03-01T12:00:00Z"}, x_request_id="an-edit-")
    await member.patch(path, {"priority": "high"})
    await owner.put(f"{path}/completion")
    completed, edited, created = await history_of(owner, task)
    assert changes_in(completed).keys() == {"status", "completed_at"}
    assert changes_in(completed)["status"] == ["todo", "done"]
    assert edited["changes"] == [
        {"field": "due_at", "before": None, "after": "2026-03-01T12:00:00Z"},
        {"field": "priority", "before": "none", "after": "high"},
    ]
    assert (edited["type"], edited["actor_id"], edited["request_id"]) == (
        "task.updated",
        str(member.id),
        "an-edit-",
    )
    assert changes_in(created)["title"] == [None, task["title"]]
    assert completed["seq"] > edited["seq"] > created["seq"]
    assert datetime.fromisoformat(completed["at"]) >= datetime.fromisoformat(edited["at"])


async def test_is_of_this_task_only(owner: Caller, project: dict[str, Any], task: dict[str, Any]) -> None:
    other = await make_task(owner, project)
    await owner.patch(f"/tasks/{other['id']}", {"title": "Other"})
    assert [entry["type"] for entry in await history_of(owner, task)] == ["task.created"]


async def test_goes_on_when_it_is_deleted(owner: Caller, task: dict[str, Any]) -> None:
    await owner.delete(f"/tasks/{task['id']}")
    deleted, _ = await history_of(owner, task)
    assert (deleted["type"], deleted["changes"]) == ("task.deleted", [])
    await owner.post(f"/tasks/{task['id']}/restore")
    assert (await history_of(owner, task))[0]["type"] == "task.restored"


async def test_pages_in_both_directions(owner: Caller, task: dict[str, Any]) -> None:
    for n in range(4):
        await owner.patch(f"/tasks/{task['id']}", {"title": f"Edit {n}"})
    newest_first = await history_of(owner, task)
    for sort, expected in (("-seq", newest_first), ("seq", newest_first[::-1])):
        found: list[dict[str, Any]] = []
        cursor = None
        while cursor is not None or not found:
            query = {"sort": sort, "limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await owner.get(f"/tasks/{task['id']}/history", **query)).json()
            found += page["items"]
            cursor = page["next_cursor"]
        assert found == expected
    assert (await owner.get(f"/tasks/{task['id']}/history", total=True)).json()["total"] == 5


async def test_has_the_label_that_was_deleted(owner: Caller, project: dict[str, Any]) -> None:
    label = await make_label(owner, project)
    task = await make_task(owner, project, label_ids=[label["id"]])
    await owner.delete(f"/labels/{label['id']}")
    assert changes_in((await history_of(owner, task))[0]) == {"label_ids": [[label["id"]], []]}
