import asyncio
from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace

pytestmark = pytest.mark.anyio


async def changes(caller: Caller, workspace: dict[str, Any], **query: Any) -> dict[str, Any]:
    response = await caller.get(f"/workspaces/{workspace['id']}/changes", **query)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def types(caller: Caller, workspace: dict[str, Any]) -> list[str]:
    return [item["type"] for item in (await changes(caller, workspace))["items"]]


async def test_outsider_hears_nothing(callers: Callers) -> None:
    owner, outsider = await callers.user(), await callers.user()
    workspace = await make_workspace(owner)
    response = await outsider.get(f"/workspaces/{workspace['id']}/changes")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "WORKSPACE_NOT_FOUND"


@pytest.mark.parametrize("cursor", ["x", "-1", "1" * 19])
async def test_cursor_of_another_shape_is_refused(callers: Callers, cursor: str) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    assert (await owner.get(f"/workspaces/{workspace['id']}/changes", cursor=cursor)).status_code == 422


async def test_a_cursor_from_ahead_of_the_log_is_refused(callers: Callers) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    last = int((await changes(owner, workspace))["next_cursor"])
    ahead = await owner.get(f"/workspaces/{workspace['id']}/changes", cursor=str(last + 1))
    assert (ahead.status_code, ahead.json()["error"]["code"]) == (409, "AHEAD_OF_LOG")
    assert ahead.json()["error"]["details"] == {"last_seq": last}
    assert (await changes(owner, workspace, cursor=str(last)))["items"] == []
    outsider = await callers.user()
    hidden = await outsider.get(f"/workspaces/{workspace['id']}/changes", cursor=str(last + 1))
    assert hidden.status_code == 404


async def test_invitations_are_for_admins(callers: Callers) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    member = await callers.member(workspace["id"], Role.MEMBER)
    path = f"/workspaces/{workspace['id']}/invitations"
    made = await owner.post(path, {"email": "new@example.com", "role": "viewer"})
    await owner.delete(f"{path}/{made.json()['id']}")
    opened, invited = ["workspace.created", "member.created"], ["invitation.created", "invitation.deleted"]
    assert await types(owner, workspace) == [*opened, *invited]
    assert await types(member, workspace) == opened
    assert made.json()["token"] not in str(await changes(owner, workspace))


async def test_each_change_tells_who_what_and_from_which_request(callers: Callers) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    task = await make_task(owner, await make_project(owner, workspace))
    answer = await owner.patch(f"/tasks/{task['id']}", {"title": "Another"}, x_request_id="the-one-to-find")
    last = (await changes(owner, workspace))["items"][-1]
    assert last["seq"] == 5
    assert last["type"] == "task.updated"
    assert last["subject"] == {"type": "task", "id": task["id"]}
    assert last["actor_id"] == str(owner.id)
    assert last["request_id"] == "the-one-to-find"
    assert last["before"]["title"] == task["title"]
    assert last["after"] == {name: answer.json()[name] for name in last["after"]}
    assert {"title", "version"} <= set(last["after"]) <= {"title", "version", "updated_at"}


async def test_created_shows_all_of_it_and_deleted_nothing(callers: Callers) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    task = await make_task(owner, await make_project(owner, workspace))
    await owner.delete(f"/tasks/{task['id']}")
    restored = (await owner.post(f"/tasks/{task['id']}/restore")).json()
    created, deleted, back = (await changes(owner, workspace))["items"][3:]
    assert (created["before"], created["after"]) == (None, task)
    assert (deleted["type"], deleted["before"], deleted["after"]) == ("task.deleted", task, None)
    assert (back["type"], back["after"]) == ("task.restored", restored)


async def test_what_changes_nothing_is_no_change(callers: Callers) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    task = await make_task(owner, await make_project(owner, workspace))
    before = await types(owner, workspace)
    await owner.patch(f"/tasks/{task['id']}", {"title": task["title"]})
    await owner.delete(f"/tasks/{task['id']}/completion")
    await owner.post(f"/tasks/{task['id']}/restore")
    await owner.patch(f"/tasks/{task['id']}", {"status": "nowhere"})
    assert await types(owner, workspace) == before


async def test_a_label_that_goes_changes_its_tasks(callers: Callers) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    project = await make_project(owner, workspace)
    label = await make_label(owner, project)
    task = await make_task(owner, project, label_ids=[label["id"]])
    await owner.delete(f"/labels/{label['id']}")
    gone, changed = (await changes(owner, workspace))["items"][-2:]
    assert (gone["type"], gone["before"]) == ("label.deleted", label)
    assert (changed["type"], changed["subject"]["id"]) == ("task.updated", task["id"])
    assert (changed["before"]["label_ids"], changed["after"]["label_ids"]) == ([label["id"]], [])


async def test_reader_comes_back_with_the_cursor(callers: Callers) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    project = await make_project(owner, workspace)
    first = await changes(owner, workspace, limit=1)
    rest = await changes(owner, workspace, cursor=first["next_cursor"])
    assert [item["seq"] for item in first["items"] + rest["items"]] == [1, 2, 3]
    nothing = await changes(owner, workspace, cursor=rest["next_cursor"])
    assert nothing == {"items": [], "next_cursor": rest["next_cursor"]}
    task = await make_task(owner, project)
    news = await changes(owner, workspace, cursor=nothing["next_cursor"])
    assert [item["after"] for item in news["items"]] == [task]


async def test_a_reader_misses_nothing_that_concurrent_writers_commit(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    project = await make_project(owner, workspace)
    heard: list[int] = []
    written = asyncio.Event()

    async def write() -> None:
        for _ in range(10):
            await make_task(owner, project)

    async def read() -> None:
        cursor = "0"
        while True:
            is_last = written.is_set()
            page = await changes(owner, workspace, cursor=cursor)
            heard.extend(item["seq"] for item in page["items"])
            cursor = page["next_cursor"]
            if is_last and not page["items"]:
                return

    async def write_all() -> None:
        await asyncio.gather(*(write() for _ in range(8)))
        written.set()

    await asyncio.gather(write_all(), read())
    assert heard == list(range(1, 84))


async def test_the_first_member_is_told_of_too(callers: Callers) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    joined = (await changes(owner, workspace))["items"][-1]
    assert (joined["type"], joined["subject"]["id"]) == ("member.created", str(owner.id))
    assert joined["after"] == (await owner.get(f"/workspaces/{workspace['id']}/members/{owner.id}")).json()


async def test_an_invitation_that_is_replaced_or_accepted_is_gone(callers: Callers) -> None:
    owner, invited = await callers.user(), await callers.user()
    workspace = await make_workspace(owner)
    path = f"/workspaces/{workspace['id']}/invitations"
    body = {"email": invited.email, "role": "member"}
    first, second = [(await owner.post(path, body)).json() for _ in range(2)]
    await invited.post("/invitations/accept", {"token": second["token"]})
    told = (await changes(owner, workspace))["items"]
    gone = [item["before"] for item in told if item["type"] == "invitation.deleted"]
    assert gone == [{name: shown[name] for name in shown if name != "token"} for shown in (first, second)]
    assert told[-1]["request_id"] == told[-2]["request_id"]
