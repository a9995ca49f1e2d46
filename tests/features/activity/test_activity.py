"""What happened, for people to read: of a workspace, a project and a task."""

from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.files import make_attachment, put_file
from tests.factories.tracker import make_comment, make_project, make_task

pytestmark = pytest.mark.anyio

Thing = dict[str, Any]


async def told(caller: Caller, place: str, **query: Any) -> list[Thing]:
    """Return the items, oldest first."""
    answer = await caller.get(f"{place}/activity", **query)
    assert answer.status_code == 200, answer.text
    items: list[Thing] = answer.json()["items"]
    return items[::-1]


async def types(caller: Caller, place: str, **query: Any) -> list[str]:
    return [item["type"] for item in await told(caller, place, **query)]


async def relate(owner: Caller, task: Thing, other: Thing) -> str:
    answer = await owner.post(f"/tasks/{task['id']}/relations", {"kind": "blocks", "task_id": other["id"]})
    return f"/tasks/{task['id']}/relations/{answer.json()['id']}"


def places(workspace: Thing, project: Thing, task: Thing) -> dict[str, str]:
    return {
        "WORKSPACE_NOT_FOUND": f"/workspaces/{workspace['id']}",
        "PROJECT_NOT_FOUND": f"/projects/{project['id']}",
        "TASK_NOT_FOUND": f"/tasks/{task['id']}",
    }


class TestWhatIsRefused:
    async def test_strangers_hear_nothing(
        self, callers: Callers, owner: Caller, workspace: Thing, project: Thing, task: Thing
    ) -> None:
        stranger = await callers.user()
        for code, place in places(workspace, project, task).items():
            answer = await stranger.get(f"{place}/activity")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
            assert await told(owner, place) != []

    async def test_of_what_is_deleted_there_is_no_feed(
        self, owner: Caller, workspace: Thing, project: Thing, task: Thing
    ) -> None:
        for code, place in reversed(places(workspace, project, task).items()):
            assert (await owner.delete(place)).status_code == 204
            answer = await owner.get(f"{place}/activity")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)

    @pytest.mark.parametrize(
        "query",
        [{"type": "task"}, {"actor_id": "somebody"}, {"at_after": "today"}, {"sort": "type"}, {"subject": 1}],
    )
    async def test_unknown_filters(
        self, owner: Caller, workspace: Thing, project: Thing, task: Thing, query: dict[str, Any]
    ) -> None:
        for place in places(workspace, project, task).values():
            assert (await owner.get(f"{place}/activity", **query)).status_code == 422

    async def test_invitations_are_for_admins(
        self, callers: Callers, owner: Caller, workspace: Thing
    ) -> None:
        path = f"/workspaces/{workspace['id']}"
        await owner.post(f"{path}/invitations", {"email": "new@example.com", "role": "viewer"})
        member = await callers.member(workspace["id"], Role.MEMBER)
        assert "invitation.created" not in await types(member, path)
        assert "invitation.created" in await types(owner, path)


class TestOfATask:
    async def test_it_has_what_was_said_put_and_drawn_there_and_nothing_else(
        self, owner: Caller, project: Thing, task: Thing
    ) -> None:
        other = await make_task(owner, project)
        comment = await make_comment(owner, task)
        await owner.patch(f"/comments/{comment['id']}", {"body": "Better"})
        await make_attachment(owner, task)
        relation = await relate(owner, other, task)
        await make_comment(owner, other)
        assert await types(owner, f"/tasks/{task['id']}") == [
            "task.created",
            "comment.created",
            "comment.updated",
            "attachment.created",
            "relation.created",
        ]
        assert await types(owner, f"/tasks/{other['id']}") == [
            "task.created",
            "relation.created",
            "comment.created",
        ]
        assert (await owner.get(relation)).status_code == 200

    async def test_what_is_gone_has_left_its_events(self, owner: Caller, project: Thing, task: Thing) -> None:
        other = await make_task(owner, project)
        comment = await make_comment(owner, task)
        attachment = await make_attachment(owner, task)
        assert (await put_file(owner, task, content=b"other words")).status_code == 200
        relation = await relate(owner, task, other)
        for path in (f"/comments/{comment['id']}", f"/attachments/{attachment['id']}", relation):
            assert (await owner.delete(path)).status_code == 204
        happened = await types(owner, f"/tasks/{task['id']}")
        assert sorted(happened) == [
            "attachment.created",
            "attachment.deleted",
            "attachment.updated",
            "comment.created",
            "comment.deleted",
            "relation.created",
            "relation.deleted",
            "task.created",
        ]
        assert await types(owner, f"/tasks/{other['id']}") == [
            "task.created",
            "relation.created",
            "relation.deleted",
        ]

    async def test_it_names_who_did_what_to_which_task(
        self, callers: Callers, owner: Caller, workspace: Thing, task: Thing
    ) -> None:
        member = await callers.member(workspace["id"])
        answer = await member.patch(
            f"/tasks/{task['id']}", {"title": "Another"}, x_request_id="find-this-one"
        )
        comment = await make_comment(owner, task)
        changed, said = (await told(owner, f"/tasks/{task['id']}"))[1:]
        assert changed["task"] == said["task"] == {"id": task["id"], "key": task["key"], "title": "Another"}
        assert changed["actor"] == {
            "id": str(member.id),
            "name": (await member.get("/users/me")).json()["name"],
        }
        assert (changed["request_id"], changed["before"]["title"]) == ("find-this-one", task["title"])
        assert changed["after"]["title"] == answer.json()["title"]
        assert said["subject"] == {"type": "comment", "id": comment["id"]}
        changes = (await owner.get(f"/workspaces/{workspace['id']}/changes")).json()["items"]
        for item in (changed, said):
            (same,) = [each for each in changes if each["seq"] == item["seq"]]
            assert {name: item[name] for name in same if name != "actor_id"} == {
                name: value for name, value in same.items() if name != "actor_id"
            }


class TestOfAProject:
    async def test_it_has_what_happened_to_its_tasks_and_to_no_others(
        self, owner: Caller, workspace: Thing, project: Thing, task: Thing
    ) -> None:
        elsewhere = await make_project(owner, workspace)
        stranger = await make_task(owner, elsewhere)
        await make_comment(owner, stranger)
        await make_comment(owner, task)
        await relate(owner, task, await make_task(owner, project))
        await owner.patch(f"/projects/{project['id']}", {"name": "Another"})
        assert await types(owner, f"/projects/{project['id']}") == [
            "project.created",
            "task.created",
            "comment.created",
            "task.created",
            "relation.created",
            "project.updated",
        ]

    async def test_a_deleted_task_is_told_of_but_not_named(
        self, owner: Caller, project: Thing, task: Thing
    ) -> None:
        await make_comment(owner, task)
        await owner.delete(f"/tasks/{task['id']}")
        items = await told(owner, f"/projects/{project['id']}")
        assert [(item["type"], item["task"]) for item in items] == [
            ("project.created", None),
            ("task.created", None),
            ("comment.created", None),
            ("task.deleted", None),
        ]

    async def test_a_task_that_moves_takes_its_past_along(
        self, owner: Caller, workspace: Thing, project: Thing, task: Thing
    ) -> None:
        other = await make_project(owner, workspace)
        assert (await owner.post(f"/tasks/{task['id']}/move", {"project_id": other["id"]})).status_code == 200
        assert await types(owner, f"/projects/{project['id']}") == ["project.created"]
        assert await types(owner, f"/projects/{other['id']}") == [
            "task.created",
            "project.created",
            "task.updated",
        ]


class TestOfAWorkspace:
    async def test_filters_narrow_it(
        self, callers: Callers, owner: Caller, workspace: Thing, project: Thing, task: Thing
    ) -> None:
        member = await callers.member(workspace["id"])
        await make_comment(member, task)
        theirs = await make_task(member, project)
        path = f"/workspaces/{workspace['id']}"
        assert await types(owner, path, actor_id=str(member.id)) == ["comment.created", "task.created"]
        assert await types(member, path, actor_id="me", type="task.created") == ["task.created"]
        assert await types(owner, path, actor_id="null") == []
        assert await types(owner, path, type=["project.created", "comment.created"]) == [
            "project.created",
            "comment.created",
        ]
        last = (await told(owner, path))[-1]
        assert last["task"]["id"] == theirs["id"]
        assert await types(owner, path, at_before="2001-01-01T00:00:00Z") == []
        assert len(await told(owner, path, at_after="2001-01-01T00:00:00Z")) == len(await told(owner, path))

    async def test_pages_are_complete_in_either_direction(
        self, owner: Caller, workspace: Thing, project: Thing
    ) -> None:
        for _ in range(4):
            await make_task(owner, project)
        for place in (f"/workspaces/{workspace['id']}", f"/projects/{project['id']}"):
            whole = [item["seq"] for item in await told(owner, place)]
            for sort, expected in (("-at", whole[::-1]), ("at", whole)):
                seen: list[int] = []
                cursor: dict[str, str] = {}
                while True:
                    page = (await owner.get(f"{place}/activity", sort=sort, limit=2, **cursor)).json()
                    seen += [item["seq"] for item in page["items"]]
                    if page["next_cursor"] is None:
                        break
                    cursor = {"cursor": page["next_cursor"]}
                assert seen == expected
            assert (await owner.get(f"{place}/activity", total=True)).json()["total"] == len(whole)
