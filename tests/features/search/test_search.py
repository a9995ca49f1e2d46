"""The words of tasks, ranked."""

from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_comment, make_project, make_task, make_workspace
from tests.features.search.lists import make_tasks, titles
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


async def hits(caller: Caller, project: dict[str, Any], q: str, **query: Any) -> list[dict[str, Any]]:
    response = await caller.get(f"/workspaces/{project['workspace_id']}/search", q=q, **query)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


async def order(caller: Caller, project: dict[str, Any], q: str, **query: Any) -> list[str]:
    return [hit["task"]["title"] for hit in await hits(caller, project, q, **query)]


@by_role(viewer=200, member=200, admin=200, owner=200)
async def test_is_for_members(
    callers: Callers, workspace: dict[str, Any], task: dict[str, Any], role: Role | None, status: int
) -> None:
    caller = await with_role(callers, workspace, role)
    response = await caller.get(f"/workspaces/{workspace['id']}/search", q="task")
    assert response.status_code == status
    if role:
        assert [hit["task"] for hit in response.json()["items"]] == [task]


async def test_refuses_bad_queries(owner: Caller, project: dict[str, Any]) -> None:
    path = f"/workspaces/{project['workspace_id']}/search"
    for query in ({}, {"q": ""}, {"q": "a" * 501}, {"q": "a\0"}, {"q": "a", "sort": "title"}):
        assert (await owner.get(path, **query)).status_code == 422, query
    assert (await owner.get(path, q="a")).status_code == 200


async def test_the_best_come_first(owner: Caller, project: dict[str, Any]) -> None:
    await make_task(owner, project, title="Port", description="")
    await make_task(owner, project, title="In the text", description="A port")
    await make_task(owner, project, title="Nothing", description="")
    await make_task(owner, project, title="Twice", description="The open port of the port")
    await make_task(owner, project, title="Port and port", description="port")
    assert await order(owner, project, "ports") == ["Port and port", "Port", "Twice", "In the text"]
    assert await order(owner, project, "ports", sort="rank", limit=1) == ["In the text"]
    assert await order(owner, project, '"open port"') == ["Twice"]
    assert sorted(await order(owner, project, "port -text")) == ["Port", "Port and port", "Twice"]
    assert await order(owner, project, "the") == []


async def test_pages_are_complete_and_without_doubles(owner: Caller, project: dict[str, Any]) -> None:
    for n in range(7):
        await make_task(owner, project, title=f"{n}", description="port " * (n // 2 + 1))
    path, query = f"/workspaces/{project['workspace_id']}/search", {"q": "port", "limit": 2}
    seen: list[str] = []
    cursor = None
    while True:
        page = (await owner.get(path, **query, **({"cursor": cursor} if cursor else {}), total=True)).json()
        assert page["total"] == 7
        seen += [hit["task"]["title"] for hit in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list("6543210")
    first = (await owner.get(path, **query)).json()["next_cursor"]
    assert (await owner.get(path, q="ports", cursor=first)).status_code == 422


async def test_words_found_are_marked_and_all_else_is_escaped(owner: Caller, project: dict[str, Any]) -> None:
    await make_task(
        owner,
        project,
        title="Open <b>ports</b> & \x02doors\x03 <mark>",
        description="See <script>alert(1)</script> the port\n" + "and more words " * 40 + "at the port again",
    )
    (hit,) = await hits(owner, project, "port")
    assert hit["title"].count("<mark>") == hit["title"].count("</mark>") == 1
    assert "<mark>ports</mark>" in hit["title"]
    assert "&amp; doors" in hit["title"]
    plain = hit["title"] + hit["snippet"]
    assert not {"<b>", "<script>", "\x02", "\x03"} & {
        part for part in ("<b>", "<script>", "\x02", "\x03") if part in plain
    }
    assert hit["snippet"].count("<mark>port</mark>") == 2
    assert " … " in hit["snippet"]
    assert len(hit["snippet"]) < 400
    await make_task(owner, project, title="1 < 2 && port", description="")
    (second,) = await hits(owner, project, '"2 port"')
    assert second["title"] == "1 &lt; <mark>2</mark> &amp;&amp; <mark>port</mark>"
    assert second["snippet"] == ""


async def test_a_key_finds_its_task_first(owner: Caller, project: dict[str, Any]) -> None:
    tasks = [await make_task(owner, project, title=f"{n}") for n in range(3)]
    await make_task(owner, project, title="OPS-2 OPS-2 OPS-2", description="As OPS-2")
    assert tasks[1]["key"] == "OPS-2"
    for q in ("OPS-2", "ops-2", " Ops-2 "):
        assert (await order(owner, project, q))[:2] == ["1", "OPS-2 OPS-2 OPS-2"], q
    assert await order(owner, project, "OPS-99") == []
    await make_task(owner, project, title="5: see OPS-6")
    assert (await hits(owner, project, "OPS-6"))[0]["task"]["title"] == "5: see OPS-6"
    await make_task(owner, project, title="OPS-6 itself")
    assert await order(owner, project, "OPS-6") == ["OPS-6 itself", "5: see OPS-6"]


async def test_finds_what_may_be_seen(owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
    workspace = {"id": project["workspace_id"]}
    second, gone = await make_project(owner, workspace), await make_project(owner, workspace)
    elsewhere = await make_project(owner, await make_workspace(owner))
    for title, place in (("a", project), ("b", second), ("c", gone), ("d", elsewhere)):
        await make_tasks(owner, place, **{title: {"description": "port"}})
    deleted = await make_task(owner, project, title="e", description="port")
    await owner.delete(f"/tasks/{deleted['id']}")
    await owner.delete(f"/projects/{gone['id']}")
    assert sorted(await order(owner, project, "port")) == ["a", "b"]
    assert await order(owner, project, "port", project_id=second["id"]) == ["b"]
    assert await order(owner, project, "port", project_id=elsewhere["id"]) == []
    stranger = await callers.user()
    assert (await stranger.get(f"/workspaces/{workspace['id']}/search", q="port")).status_code == 404
    assert await titles(owner, f"/workspaces/{workspace['id']}/tasks", q="port") == "ab"


async def test_only_the_newest_are_ranked(
    owner: Caller, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glasswork.features.search.repository.RANKED", 2)
    await make_task(owner, project, title="port port port")
    await make_tasks(owner, project, a={"description": "port"}, b={"description": "port"})
    assert sorted(await order(owner, project, "port")) == ["a", "b"]
    assert sorted(await order(owner, project, "port", limit=1)) in (["a"], ["b"])


class TestComments:
    async def test_find_their_task_and_are_shown(self, owner: Caller, project: dict[str, Any]) -> None:
        said, written = [await make_task(owner, project, title=title) for title in ("Lamp", "Wick and rope")]
        await make_comment(owner, said, body="A rope, or a <rope>?")
        best = await make_comment(owner, said, body="Rope rope rope")
        await make_comment(owner, said, body="Nothing of the kind")
        items = await hits(owner, project, "rope")
        assert [item["task"]["id"] for item in items] == [written["id"], said["id"]]
        assert items[0]["comment"] is None
        assert items[1]["comment"] == {
            "id": best["id"],
            "snippet": "<mark>Rope</mark> <mark>rope</mark> <mark>rope</mark>",
        }
        assert (items[1]["title"], items[1]["snippet"]) == ("Lamp", "")

    async def test_that_are_deleted_or_edited_find_nothing_any_more(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        task = await make_task(owner, project, title="Lamp")
        deleted, edited = [await make_comment(owner, task, body="A rope") for _ in range(2)]
        await owner.delete(f"/comments/{deleted['id']}")
        assert [item["comment"]["id"] for item in await hits(owner, project, "rope")] == [edited["id"]]
        await owner.patch(f"/comments/{edited['id']}", {"body": "A chain"})
        assert await hits(owner, project, "rope") == []
        assert len(await hits(owner, project, "chain")) == 1

    async def test_of_other_workspaces_and_of_deleted_tasks_find_nothing(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        elsewhere = await make_project(owner, await make_workspace(owner))
        for task in (await make_task(owner, elsewhere), gone := await make_task(owner, project)):
            await make_comment(owner, task, body="A rope")
        assert [item["task"]["id"] for item in await hits(owner, project, "rope")] == [gone["id"]]
        await owner.delete(f"/tasks/{gone['id']}")
        assert await hits(owner, project, "rope") == []

    @pytest.mark.parametrize("query", [{"q": "rope"}, {"filter": "rope"}, {"filter": '"a rope" status:todo'}])
    async def test_let_lists_find_their_task(
        self, owner: Caller, project: dict[str, Any], query: dict[str, str]
    ) -> None:
        said, written, other = [
            await make_task(owner, project, title=title) for title in ("L", "A rope", "M")
        ]
        await make_comment(owner, said, body="A rope")
        await make_comment(owner, other, body="A chain")
        for place in (f"/projects/{project['id']}", f"/workspaces/{project['workspace_id']}"):
            items = (await owner.get(f"{place}/tasks", sort="number", **query)).json()["items"]
            assert [item["id"] for item in items] == [said["id"], written["id"]]

    async def test_must_not_have_what_is_unwanted(self, owner: Caller, project: dict[str, Any]) -> None:
        task = await make_task(owner, project, title="Lamp")
        await make_comment(owner, task, body="A rope and a chain")
        assert await hits(owner, project, "rope -chain") == []
        assert len(await hits(owner, project, "rope chain")) == 1

    @pytest.mark.parametrize(
        "q", ["rope -chain", "hemp or rope -chain", 'rope -"iron chain"', "rope -iron -x"]
    )
    async def test_do_not_find_a_task_whose_own_words_are_unwanted(
        self, owner: Caller, project: dict[str, Any], q: str
    ) -> None:
        chained, free = [await make_task(owner, project, title=title) for title in ("Iron chain", "Lamp")]
        for task in (chained, free):
            await make_comment(owner, task, body="A rope")
        assert [item["task"]["id"] for item in await hits(owner, project, q)] == [free["id"]]
        queries = [{"q": q}] if " or " in q else [{"q": q}, {"filter": q}]
        for query in queries:
            for place in (f"/projects/{project['id']}", f"/workspaces/{project['workspace_id']}"):
                items = (await owner.get(f"{place}/tasks", **query)).json()["items"]
                assert [item["id"] for item in items] == [free["id"]], query

    async def test_speak_for_themselves(self, owner: Caller, project: dict[str, Any]) -> None:
        """Neither the task nor another comment is left out for what is said in one."""
        written, said = [await make_task(owner, project, title=title) for title in ("A rope", "Lamp")]
        for task in (written, said):
            await make_comment(owner, task, body="A chain")
        best = await make_comment(owner, said, body="A rope")
        found = {item["task"]["id"]: item for item in await hits(owner, project, "rope -chain")}
        assert found.keys() == {written["id"], said["id"]}
        assert found[said["id"]]["comment"]["id"] == best["id"]
        for query in ({"q": "rope -chain"}, {"filter": "rope -chain"}):
            listed = await owner.get(f"/projects/{project['id']}/tasks", sort="number", **query)
            assert [item["id"] for item in listed.json()["items"]] == [written["id"], said["id"]]
