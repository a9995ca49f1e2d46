from asyncio import gather
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_comment, make_project, make_task, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


def fault(answer: Any) -> tuple[int, list[str], str]:
    error = answer.json()["error"]["details"]["errors"][0]
    return answer.status_code, error["loc"], error["code"]


async def listed(caller: Caller, task: Json, **query: Any) -> list[Json]:
    answer = await caller.get(f"/tasks/{task['id']}/comments", **query)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


async def changes(caller: Caller, task: Json) -> list[Json]:
    items = (await caller.get(f"/workspaces/{task['workspace_id']}/changes", limit=100)).json()["items"]
    return [item for item in items if item["subject"]["type"] == "comment"]


class TestRefusals:
    @by_role(viewer=403, member=201, admin=201, owner=201)
    async def test_to_say_something_is_for_those_who_work_there(
        self, callers: Callers, workspace: Json, task: Json, role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(f"/tasks/{task['id']}/comments", {"body": "a"})).status_code == status

    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_to_read_is_for_members(
        self, owner: Caller, callers: Callers, workspace: Json, task: Json, role: Role, status: int
    ) -> None:
        comment = await make_comment(owner, task)
        caller = await with_role(callers, workspace, role)
        for path in (f"/tasks/{task['id']}/comments", *paths_of(comment)):
            assert (await caller.get(path)).status_code == status

    @by_role(viewer=403, member=403, admin=403, owner=403)
    async def test_nobody_edits_what_another_one_said(
        self, callers: Callers, workspace: Json, task: Json, role: Role, status: int
    ) -> None:
        author = await callers.member(workspace["id"])
        comment = await make_comment(author, task)
        caller = await with_role(callers, workspace, role)
        assert (await caller.patch(f"/comments/{comment['id']}", {"body": "b"})).status_code == status
        assert (await author.patch(f"/comments/{comment['id']}", {"body": "b"})).status_code == 200

    @by_role(viewer=403, member=403, admin=204, owner=204)
    async def test_admins_delete_what_others_said(
        self, callers: Callers, workspace: Json, task: Json, role: Role, status: int
    ) -> None:
        comment = await make_comment(await callers.member(workspace["id"]), task)
        caller = await with_role(callers, workspace, role)
        assert (await caller.delete(f"/comments/{comment['id']}")).status_code == status

    @by_role(viewer=403, member=403, admin=200, owner=200)
    async def test_and_restore_it(
        self, callers: Callers, workspace: Json, task: Json, role: Role, status: int
    ) -> None:
        author = await callers.member(workspace["id"])
        comment = await make_comment(author, task)
        await author.delete(f"/comments/{comment['id']}")
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(f"/comments/{comment['id']}/restore")).status_code == status

    async def test_an_author_who_may_only_look_leaves_it_as_it_is(
        self, owner: Caller, callers: Callers, workspace: Json, task: Json
    ) -> None:
        author = await callers.member(workspace["id"])
        path = f"/comments/{(await make_comment(author, task))['id']}"
        for role, statuses in (("viewer", [403, 403, 403]), ("member", [200, 200, 204])):
            await owner.patch(f"/workspaces/{workspace['id']}/members/{author.id}", {"role": role})
            answers = [
                await author.patch(path, {"body": "b"}),
                await author.put(f"{path}/reactions/eyes"),
                await author.delete(path),
            ]
            assert [answer.status_code for answer in answers] == statuses

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("", "string_too_short"),
            ("a" * 65_537, "string_too_long"),
            (" \n\t", "string_pattern_mismatch"),
            ("a\0", "string_pattern_mismatch"),
            (None, "string_type"),
            (7, "string_type"),
        ],
    )
    async def test_refuses_what_is_no_text(self, owner: Caller, task: Json, body: Any, code: str) -> None:
        comment = await make_comment(owner, task)
        for method, path in (
            ("POST", f"/tasks/{task['id']}/comments"),
            ("PATCH", f"/comments/{comment['id']}"),
        ):
            answer = await owner.request(method, path, json={"body": body})
            assert fault(answer) == (422, ["body", "body"], code)
        assert (await owner.post(f"/tasks/{task['id']}/comments", {"body": "é" * 65_536})).status_code == 201

    @pytest.mark.parametrize("which", ["nothing", "reply", "deleted", "other task"])
    async def test_refuses_a_reply_to_what_it_cannot_follow(
        self, owner: Caller, project: Json, task: Json, which: str
    ) -> None:
        top = await make_comment(owner, task)
        others = {
            "nothing": {"id": str(uuid7())},
            "reply": await make_comment(owner, task, reply_to_id=top["id"]),
            "deleted": await make_comment(owner, task),
            "other task": await make_comment(owner, await make_task(owner, project)),
        }
        await owner.delete(f"/comments/{others['deleted']['id']}")
        body = {"body": "a", "reply_to_id": others[which]["id"]}
        answer = await owner.post(f"/tasks/{task['id']}/comments", body)
        assert fault(answer) == (422, ["body", "reply_to_id"], "unknown_comment")

    async def test_refuses_a_stale_etag(self, owner: Caller, task: Json) -> None:
        path = f"/comments/{(await make_comment(owner, task))['id']}"
        first = await owner.patch(path, {"body": "b"}, if_match='"1"')
        assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
        stale = await owner.patch(path, {"body": "c"}, if_match='"1"')
        assert stale.status_code == 412
        assert stale.json()["error"]["details"] == {"current_etag": '"2"', "fields": ["body"]}
        for method, suffix in (("PUT", "/reactions/eyes"), ("DELETE", "/reactions/eyes"), ("DELETE", "")):
            answer = await owner.request(method, f"{path}{suffix}", headers={"if_match": '"1"'})
            assert answer.status_code == 412
        assert (await owner.delete(path, if_match='"2"')).status_code == 204

    async def test_refuses_other_reactions(self, owner: Caller, task: Json) -> None:
        path = f"/comments/{(await make_comment(owner, task))['id']}/reactions"
        assert fault(await owner.put(f"{path}/wave")) == (422, ["path", "reaction"], "enum")
        assert (await owner.put(f"{path}/heart")).status_code == 200

    async def test_a_viewer_does_not_react(
        self, owner: Caller, callers: Callers, workspace: Json, task: Json
    ) -> None:
        viewer = await callers.member(workspace["id"], Role.VIEWER)
        path = f"/comments/{(await make_comment(owner, task))['id']}/reactions/heart"
        assert [(await viewer.request(method, path)).status_code for method in ("PUT", "DELETE")] == [
            403,
            403,
        ]

    @pytest.mark.parametrize("container", ["tasks", "projects"])
    async def test_is_hidden_with_its_task(
        self, owner: Caller, project: Json, task: Json, container: str
    ) -> None:
        comment = await make_comment(owner, task)
        comment = (await owner.patch(f"/comments/{comment['id']}", {"body": "b"})).json()
        reply = await make_comment(owner, task, reply_to_id=comment["id"])
        await owner.delete(f"/comments/{reply['id']}")
        await owner.delete(f"/{container}/{(task if container == 'tasks' else project)['id']}")
        path = f"/comments/{comment['id']}"
        answers = [
            *[await owner.get(each) for each in (f"/tasks/{task['id']}/comments", *paths_of(comment))],
            await owner.post(f"/tasks/{task['id']}/comments", {"body": "a"}),
            await owner.patch(path, {"body": "c"}),
            await owner.put(f"{path}/reactions/heart"),
            await owner.delete(path),
            await owner.post(f"/comments/{reply['id']}/restore"),
        ]
        assert {answer.status_code for answer in answers} == {404}
        if container == "tasks":
            await owner.post(f"/tasks/{task['id']}/restore")
            assert await listed(owner, task) == [comment]


def paths_of(comment: Json) -> tuple[str, str]:
    return f"/comments/{comment['id']}", f"/comments/{comment['id']}/versions"


async def test_says_something(owner: Caller, task: Json) -> None:
    answer = await owner.post(f"/tasks/{task['id']}/comments", {"body": "  *Done*\r\n"})
    made = answer.json()
    assert made == {
        "id": made["id"],
        "workspace_id": task["workspace_id"],
        "task_id": task["id"],
        "reply_to_id": None,
        "author_id": str(owner.id),
        "body": "  *Done*\r\n",
        "body_html": None,
        "mentions": [],
        "reactions": [],
        "external": None,
        "version": 1,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
        "edited_at": None,
        "deleted_at": None,
    }
    place = f"/comments/{made['id']}"
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/v1{place}")
    assert answer.headers["ETag"] == '"1"'
    shown = await owner.get(place)
    assert (shown.json(), shown.headers["ETag"]) == (made, '"1"')
    assert (await owner.request("GET", place, headers={"if_none_match": '"1"'})).status_code == 304
    assert await listed(owner, task) == [made]
    [event] = await changes(owner, task)
    assert (event["type"], event["before"]) == ("comment.created", None)
    assert event["after"] == {name: value for name, value in made.items() if name != "body_html"}


async def test_shows_html_on_request(owner: Caller, task: Json) -> None:
    comment = await make_comment(owner, task, body="*a* <script>")
    html = "<p><em>a</em> &lt;script&gt;</p>\n"
    assert (await owner.get(f"/comments/{comment['id']}", html="true")).json() == comment | {
        "body_html": html
    }
    assert await listed(owner, task, html="true") == [comment | {"body_html": html}]
    await owner.patch(f"/comments/{comment['id']}", {"body": "b"})
    shown = (await owner.get(f"/comments/{comment['id']}", html="true")).json()
    assert (shown["body"], shown["body_html"]) == ("b", "<p>b</p>\n")


async def test_threads_have_one_level(owner: Caller, task: Json) -> None:
    one, two = [await make_comment(owner, task) for _ in range(2)]
    first, second = [await make_comment(owner, task, reply_to_id=one["id"]) for _ in range(2)]
    assert await listed(owner, task) == [one, two, first, second]
    assert await listed(owner, task, reply_to_id="null") == [one, two]
    assert await listed(owner, task, reply_to_id=one["id"]) == [first, second]
    assert await listed(owner, task, reply_to_id=two["id"]) == []
    assert await listed(owner, task, reply_to_id=["null", one["id"]], sort="-created_at") == [
        *(second, first, two, one)
    ]


async def test_is_read_page_by_page(owner: Caller, task: Json) -> None:
    comments = [await make_comment(owner, task) for _ in range(5)]
    path, seen = f"/tasks/{task['id']}/comments", []
    cursor: dict[str, str] = {}
    while True:
        page = (await owner.get(path, limit=2, total="true", **cursor)).json()
        seen += page["items"]
        assert page["total"] == 5
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == comments
    assert fault(await owner.get(path, html="true", **cursor)) == (422, ["query", "cursor"], "invalid_cursor")


async def test_an_edit_keeps_what_was_said(owner: Caller, task: Json) -> None:
    comment = await make_comment(owner, task, body="one")
    path = f"/comments/{comment['id']}"
    assert (await owner.get(f"{path}/versions")).json()["items"] == []
    second = (await owner.patch(path, {"body": "two"})).json()
    await owner.put(f"{path}/reactions/heart")
    third = (await owner.patch(path, {"body": "three"})).json()
    assert (second["version"], third["version"], third["body"]) == (2, 4, "three")
    assert comment["created_at"] == third["created_at"]
    assert third["edited_at"] == third["updated_at"]
    versions = (await owner.get(f"{path}/versions")).json()["items"]
    assert [(each["version"], each["body"], each["author_id"]) for each in versions] == [
        (3, "two", str(owner.id)),
        (1, "one", str(owner.id)),
    ]
    assert [each["written_at"] for each in versions] == [second["edited_at"], comment["created_at"]]
    assert [each["replaced_at"] for each in versions] == [third["edited_at"], second["edited_at"]]
    updated = (await changes(owner, task))[1]
    assert updated["type"] == "comment.updated"
    assert (updated["before"]["body"], updated["after"]["body"]) == ("one", "two")
    assert "reactions" not in updated["after"]


async def test_an_edit_that_changes_nothing_is_none(owner: Caller, task: Json) -> None:
    comment = await make_comment(owner, task, body="one")
    for body in ({}, {"body": "one"}):
        answer = await owner.patch(f"/comments/{comment['id']}", body)
        assert (answer.json(), answer.headers["ETag"]) == (comment, '"1"')
    assert len(await changes(owner, task)) == 1


async def test_mentions_members(owner: Caller, callers: Callers, workspace: Json, task: Json) -> None:
    ada, bob, gone = [await callers.member(workspace["id"]) for _ in range(3)]
    await owner.delete(f"/workspaces/{workspace['id']}/members/{gone.id}")
    stranger = await callers.user()
    await make_workspace(stranger)
    body = (
        f"@{bob.username.upper()} and @{ada.username}, @{bob.username}; but `@{owner.username}`,"
        f" x@{owner.username}, @{gone.username}, @{stranger.username}, @nobody_at_all"
    )
    comment = await make_comment(owner, task, body=body)
    assert comment["mentions"] == [str(bob.id), str(ada.id)]
    assert comment["body"] == body
    edited = (await owner.patch(f"/comments/{comment['id']}", {"body": f"@{ada.username}"})).json()
    assert edited["mentions"] == [str(ada.id)]
    assert (await changes(owner, task))[-1]["after"]["mentions"] == [str(ada.id)]


async def test_mentions_at_most_fifty(owner: Caller, callers: Callers, workspace: Json, task: Json) -> None:
    members = [await callers.member(workspace["id"]) for _ in range(51)]
    body = " ".join(f"@nobody{n} @{each.username}" for n, each in enumerate(members))
    comment = await make_comment(owner, task, body=body)
    assert comment["mentions"] == [str(each.id) for each in members[:50]]


async def test_reactions_are_one_per_user_and_kind(
    owner: Caller, callers: Callers, workspace: Json, task: Json
) -> None:
    member = await callers.member(workspace["id"])
    path = f"/comments/{(await make_comment(owner, task))['id']}"
    first = (await owner.put(f"{path}/reactions/heart")).json()
    assert (first["reactions"], first["version"], first["edited_at"]) == (
        [{"reaction": "heart", "user_ids": [str(owner.id)]}],
        2,
        None,
    )
    assert (await owner.put(f"{path}/reactions/heart")).json() == first
    await member.put(f"{path}/reactions/heart")
    both = (await owner.put(f"{path}/reactions/eyes")).json()
    assert both["reactions"] == [
        {"reaction": "eyes", "user_ids": [str(owner.id)]},
        {"reaction": "heart", "user_ids": [str(owner.id), str(member.id)]},
    ]
    assert (await listed(owner, task))[0] == both
    left = (await owner.delete(f"{path}/reactions/heart")).json()
    assert left["reactions"] == [
        {"reaction": "eyes", "user_ids": [str(owner.id)]},
        {"reaction": "heart", "user_ids": [str(member.id)]},
    ]
    assert (await owner.delete(f"{path}/reactions/heart")).json() == left
    events = await changes(owner, task)
    assert [event["type"] for event in events] == ["comment.created"] + ["comment.updated"] * 4
    assert events[-1]["after"]["reactions"] == left["reactions"]


class TestDeletion:
    async def test_without_replies_it_is_gone(self, owner: Caller, task: Json) -> None:
        comment = await make_comment(owner, task)
        path = f"/comments/{comment['id']}"
        assert (await owner.delete(path)).status_code == 204
        assert await listed(owner, task) == []
        for each in (
            *[await owner.get(one) for one in paths_of(comment)],
            await owner.patch(path, {"body": "b"}),
            await owner.put(f"{path}/reactions/heart"),
            await owner.delete(path),
        ):
            assert (each.status_code, each.json()["error"]["code"]) == (404, "COMMENT_NOT_FOUND")
        event = (await changes(owner, task))[-1]
        assert (event["type"], event["after"]) == ("comment.deleted", None)
        assert event["before"] == {name: value for name, value in comment.items() if name != "body_html"}

    async def test_with_replies_its_place_is_left(self, owner: Caller, task: Json) -> None:
        comment = await make_comment(owner, task, body="a")
        path = f"/comments/{comment['id']}"
        comment = (await owner.patch(path, {"body": f"@{owner.username}"})).json()
        await owner.put(f"{path}/reactions/heart")
        reply = await make_comment(owner, task, reply_to_id=comment["id"])
        await owner.delete(path)
        place = (await owner.get(path, html="true")).json()
        assert place["deleted_at"] == place["updated_at"]
        assert place == comment | {
            "body": None,
            "mentions": [],
            "version": 4,
            "updated_at": place["updated_at"],
            "deleted_at": place["deleted_at"],
        }
        assert await listed(owner, task, html="true") == [place, await shown(owner, reply)]
        for answer in (
            await owner.get(f"{path}/versions"),
            await owner.patch(path, {"body": "b"}),
            await owner.put(f"{path}/reactions/heart"),
            await owner.delete(path),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "COMMENT_NOT_FOUND")
        await owner.delete(f"/comments/{reply['id']}")
        assert await listed(owner, task) == []
        await owner.post(f"/comments/{reply['id']}/restore")
        assert [each["body"] for each in await listed(owner, task)] == [None, reply["body"]]

    async def test_comes_back_as_it_was(self, owner: Caller, task: Json) -> None:
        comment = await make_comment(owner, task, body=f"one @{owner.username}")
        path = f"/comments/{comment['id']}"
        await owner.patch(path, {"body": f"two @{owner.username}"})
        before = (await owner.put(f"{path}/reactions/heart")).json()
        await owner.delete(path)
        answer = await owner.post(f"{path}/restore")
        after = answer.json()
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"5"')
        assert after == before | {"version": 5, "updated_at": after["updated_at"]}
        assert (await owner.post(f"{path}/restore")).json() == after
        assert [each["type"] for each in await changes(owner, task)].count("comment.restored") == 1
        assert len((await owner.get(f"{path}/versions")).json()["items"]) == 1
        event = (await changes(owner, task))[-1]
        assert (event["type"], event["after"]["body"]) == ("comment.restored", after["body"])


async def shown(caller: Caller, comment: Json) -> Json:
    answer: Json = (await caller.get(f"/comments/{comment['id']}", html="true")).json()
    return answer


async def test_an_archived_task_is_still_talked_about(owner: Caller, task: Json) -> None:
    await owner.put(f"/tasks/{task['id']}/archive")
    comment = await make_comment(owner, task)
    assert await listed(owner, task) == [comment]


async def test_goes_along_when_its_task_moves(owner: Caller, workspace: Json, task: Json) -> None:
    comment = await make_comment(owner, task)
    other = await make_project(owner, workspace)
    await owner.post(f"/tasks/{task['id']}/move", {"project_id": other["id"]})
    assert await listed(owner, task) == [comment]


async def test_of_edits_that_meet_one_goes_through(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    task = await make_task(owner, await make_project(owner, await make_workspace(owner)))
    path = f"/comments/{(await make_comment(owner, task))['id']}"
    edits = [owner.patch(path, {"body": f"Edit {n}"}, if_match='"1"') for n in range(6)]
    assert sorted(answer.status_code for answer in await gather(*edits)) == [200] + [412] * 5


async def test_all_may_react_at_once(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    task = await make_task(owner, await make_project(owner, workspace))
    path = f"/comments/{(await make_comment(owner, task))['id']}"
    members = [owner, *[await committing_callers.member(workspace["id"]) for _ in range(4)]]
    answers = await gather(*(each.put(f"{path}/reactions/rocket") for each in members * 2))
    assert {answer.status_code for answer in answers} == {200}
    after = (await owner.get(path)).json()
    assert after["reactions"] == [
        {"reaction": "rocket", "user_ids": sorted(str(each.id) for each in members)}
    ]
    assert after["version"] == 6
