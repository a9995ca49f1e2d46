from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.features.tasks.models import Watcher
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_status, make_task, make_workspace
from tests.features.search.lists import make_tasks, path_of, put, titles
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


class TestAccess:
    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_is_for_members(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        task: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        for place in (f"/projects/{task['project_id']}", f"/workspaces/{workspace['id']}"):
            response = await caller.get(f"{place}/tasks")
            assert response.status_code == status
            if role:
                assert response.json() == {"items": [task], "next_cursor": None, "total": None}

    async def test_project_without_tasks_has_an_empty_list(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        page = (await owner.get(path_of(project), total=True)).json()
        assert page == {"items": [], "next_cursor": None, "total": 0}

    async def test_refuses_bad_queries(self, owner: Caller, project: dict[str, Any]) -> None:
        queries: list[dict[str, Any]] = [
            {"limit": 0},
            {"limit": 101},
            {"limit": "x"},
            {"sort": "size"},
            {"sort": ""},
            {"sort": "title,"},
            {"sort": "--title"},
            {"status": "To do"},
            {"priority": "highest"},
            {"assignee_id": "you"},
            {"created_by": "null"},
            {"watcher_id": "you"},
            {"parent_id": "me"},
            {"category": "open"},
            {"archived": "no"},
            {"due": "soon"},
            {"time_zone": "Mars/Base"},
            {"time_zone": "europe/berlin"},
            {"time_zone": ""},
            {"estimate_min": -1},
            {"estimate_max": "2h"},
            {"filter": "due:soon"},
            {"filter": "a" * 501},
            {"filter": "a\0"},
            {"label_id": "me"},
            {"due_after": "2026-01-01"},
            {"due_before": "2026-01-01T00:00:00"},
            {"q": "a\0"},
            {"q": "a" * 501},
            {"total": "x"},
            {"assignee": "me"},
            {"project_id": str(uuid7())},
        ]
        for query in queries:
            response = await owner.get(path_of(project), **query)
            assert response.status_code == 422, query
            assert response.json()["error"]["details"]["errors"][0]["loc"][:2] == ["query", *query]


class TestFilters:
    async def test_status(self, owner: Caller, project: dict[str, Any]) -> None:
        fields = {"a": {"status": "todo"}, "b": {"status": "in_progress"}, "c": {"status": "done"}}
        await make_tasks(owner, project, **fields)
        assert await titles(owner, path_of(project), status="in_progress") == "b"
        assert await titles(owner, path_of(project), status=["todo", "done"]) == "ac"
        assert await titles(owner, path_of(project), status="unknown") == ""

    async def test_priority(self, owner: Caller, project: dict[str, Any]) -> None:
        await make_tasks(owner, project, a={}, b={"priority": "low"}, c={"priority": "urgent"})
        assert await titles(owner, path_of(project), priority="none") == "a"
        assert await titles(owner, path_of(project), priority=["urgent", "low"]) == "bc"

    async def test_assignee(self, owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
        other = await callers.member(project["workspace_id"])
        mine, theirs = {"assignee_id": str(owner.id)}, {"assignee_id": str(other.id)}
        await make_tasks(owner, project, a=mine, b=theirs, c={})
        assert await titles(owner, path_of(project), assignee_id="me") == "a"
        assert await titles(other, path_of(project), assignee_id="me") == "b"
        assert await titles(owner, path_of(project), assignee_id=str(other.id)) == "b"
        assert await titles(owner, path_of(project), assignee_id="null") == "c"
        assert await titles(owner, path_of(project), assignee_id=["null", "me"]) == "ac"

    async def test_label(self, owner: Caller, project: dict[str, Any]) -> None:
        bug, docs, unused = [(await make_label(owner, project))["id"] for _ in range(3)]
        fields = {
            "a": {"label_ids": [bug]},
            "b": {"label_ids": [bug, docs]},
            "c": {"label_ids": [docs]},
            "d": {},
        }
        await make_tasks(owner, project, **fields)
        assert await titles(owner, path_of(project), label_id=bug) == "ab"
        assert await titles(owner, path_of(project), label_id=[bug, docs]) == "abc"
        assert await titles(owner, path_of(project), label_id="null") == "d"
        assert await titles(owner, path_of(project), label_id=[docs, "null"]) == "bcd"
        assert await titles(owner, path_of(project), label_id=unused) == ""

    async def test_category(self, owner: Caller, project: dict[str, Any]) -> None:
        fields = {"a": {"status": "todo"}, "b": {"status": "in_progress"}, "c": {"status": "done"}}
        await make_tasks(owner, project, **fields)
        assert await titles(owner, path_of(project), category="in_progress") == "b"
        assert await titles(owner, path_of(project), category=["todo", "done"]) == "ac"

    async def test_creator(self, owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
        other = await callers.member(project["workspace_id"])
        await make_tasks(owner, project, a={})
        await make_tasks(other, project, b={})
        assert await titles(owner, path_of(project), created_by="me") == "a"
        assert await titles(other, path_of(project), created_by="me") == "b"
        assert await titles(owner, path_of(project), created_by=[str(other.id), "me"]) == "ab"
        assert await titles(owner, path_of(project), created_by=str(uuid7())) == ""

    async def test_watcher(self, owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
        other = await callers.member(project["workspace_id"])
        ids = await make_tasks(owner, project, a={}, b={}, c={})
        await watch(callers, project, ids["a"], owner)
        await watch(callers, project, ids["a"], other)
        await watch(callers, project, ids["b"], other)
        assert await titles(owner, path_of(project), watcher_id="me") == "a"
        assert await titles(owner, path_of(project), watcher_id=str(other.id)) == "ab"
        assert await titles(owner, path_of(project), watcher_id="null") == "c"
        assert await titles(owner, path_of(project), watcher_id=["null", "me"]) == "ac"
        assert await titles(owner, path_of(project), watcher_id=str(uuid7())) == ""

    async def test_parent(self, owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
        ids = await make_tasks(owner, project, a={}, b={}, c={}, d={})
        await put(callers, ids["b"], parent_id=UUID(ids["a"]))
        await put(callers, ids["d"], parent_id=UUID(ids["c"]))
        assert await titles(owner, path_of(project), parent_id=ids["a"]) == "b"
        assert await titles(owner, path_of(project), parent_id=[ids["a"], ids["c"]]) == "bd"
        assert await titles(owner, path_of(project), parent_id="null") == "ac"
        assert await titles(owner, path_of(project), parent_id=[ids["c"], "null"]) == "acd"

    async def test_archived(self, owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
        ids = await make_tasks(owner, project, a={}, b={})
        await put(callers, ids["b"], archived_at=datetime.now(UTC))
        assert await titles(owner, path_of(project)) == "a"
        assert await titles(owner, path_of(project), archived="false") == "a"
        assert await titles(owner, path_of(project), archived="true") == "b"
        assert await titles(owner, path_of(project), archived="all") == "ab"

    async def test_estimate(self, owner: Caller, project: dict[str, Any]) -> None:
        minutes = {"a": 0, "b": 30, "c": 60}
        await make_tasks(owner, project, d={}, **{key: {"estimate_minutes": n} for key, n in minutes.items()})
        assert await titles(owner, path_of(project), estimate_min=30) == "bc"
        assert await titles(owner, path_of(project), estimate_max=30) == "ab"
        assert await titles(owner, path_of(project), estimate_min=1, estimate_max=59) == "b"
        assert await titles(owner, path_of(project), estimate_min=0) == "abc"

    @pytest.mark.parametrize("moment", ["due", "start", "created", "updated", "completed", "archived"])
    async def test_moments_from_one_on_and_before_another(
        self, owner: Caller, callers: Callers, project: dict[str, Any], moment: str
    ) -> None:
        await make_tasks(owner, project, a={}, b={}, c={}, d={})
        async with callers.database.system_transaction() as session:
            await session.execute(
                text(
                    f"UPDATE tasks SET {moment}_at = timestamptz '2026-01-01Z' + interval '1 day' * number"
                    " WHERE number <= 3"
                )
            )
        after, before = f"{moment}_after", f"{moment}_before"
        query: dict[str, Any] = {"archived": "all"}
        third, fourth, until = "2026-01-03T00:00:00Z", "2026-01-04T01:00:00+01:00", "2026-02-01T00:00:00Z"
        assert await titles(owner, path_of(project), **query, **{after: third, before: until}) == "bc"
        assert await titles(owner, path_of(project), **query, **{before: third}) == "a"
        assert await titles(owner, path_of(project), **query, **{after: third, before: fourth}) == "b"
        assert await titles(owner, path_of(project), **query, **{after: fourth, before: third}) == ""

    async def test_different_filters_must_all_hold(self, owner: Caller, project: dict[str, Any]) -> None:
        bug = (await make_label(owner, project))["id"]
        wanted = {
            "status": "in_progress",
            "priority": "high",
            "assignee_id": str(owner.id),
            "label_ids": [bug],
            "due_at": "2026-01-01T00:00:00Z",
            "description": "port",
        }
        misses = {name: wanted | {name: other} for name, other in MISSES.items()}
        await make_tasks(owner, project, x=wanted, **misses)
        query = {
            "status": ["in_progress", "done"],
            "priority": "high",
            "assignee_id": "me",
            "label_id": bug,
            "due_before": "2026-01-02T00:00:00Z",
            "q": "port",
        }
        assert await titles(owner, path_of(project), **query) == "x"


async def watch(callers: Callers, project: dict[str, Any], task_id: str, user: Caller) -> None:
    watcher = Watcher(workspace_id=UUID(project["workspace_id"]), task_id=UUID(task_id), user_id=user.id)
    async with callers.database.system_transaction() as session:
        session.add(watcher)


MISSES: dict[str, Any] = {
    "status": "todo",
    "priority": "low",
    "assignee_id": None,
    "label_ids": [],
    "due_at": None,
    "description": "",
}

SEARCHES = {
    "port": "abc",
    "PORTS": "abc",
    "open port": "ac",
    '"open port"': "a",
    "port -open": "b",
    "-port": "de",
    "handbook or backups": "de",
    "scanning": "b",
    "the": "",
    "": "",
    '"': "",
    "((:*&|!<->\\": "",
    "näher": "e",
}


class TestSearch:
    @pytest.fixture
    async def texts(self, owner: Caller, project: dict[str, Any]) -> None:
        fields = {
            "a": "The open port",
            "b": "Ports to scan",
            "c": "A port scanner found open doors",
            "d": "Backup",
            "e": "Write the handbook, näher",
        }
        await make_tasks(owner, project, **{key: {"description": words} for key, words in fields.items()})

    @pytest.mark.usefixtures("texts")
    async def test_finds_words(self, owner: Caller, project: dict[str, Any]) -> None:
        found = {q: await titles(owner, path_of(project), q=q) for q in SEARCHES}
        assert found == SEARCHES

    async def test_finds_words_of_the_title_and_what_has_changed(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        task = await make_task(owner, project, title="Rotate certificates")
        assert await titles(owner, path_of(project), q="certificate rotation") == task["title"]
        await owner.patch(f"/tasks/{task['id']}", {"title": "Nothing"})
        assert await titles(owner, path_of(project), q="certificate") == ""


class TestWorkspaceList:
    async def test_spans_the_projects_of_the_workspace(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        second, third = [await make_project(owner, workspace) for _ in range(2)]
        elsewhere = await make_project(owner, await make_workspace(owner))
        for title, place in zip("abcd", (project, second, third, elsewhere), strict=True):
            await make_task(owner, place, title=title)
        path = f"/workspaces/{workspace['id']}/tasks"
        assert await titles(owner, path) == "abc"
        assert await titles(owner, path, project_id=second["id"]) == "b"
        assert await titles(owner, path, project_id=[project["id"], third["id"]]) == "ac"
        assert await titles(owner, path, project_id=elsewhere["id"]) == ""
        await owner.delete(f"/projects/{second['id']}")
        assert await titles(owner, path) == "ac"
        assert await titles(owner, path_of(elsewhere)) == "d"


async def test_values_and_words_about_the_same_go_together(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    """Their parameters must not have the same names."""
    me = str(owner.actor.user_id)
    values: list[dict[str, Any]] = [
        {"status": ["todo", "done"]},
        {"category": ["todo", "done"]},
        {"priority": ["low", "high"]},
        {"assignee_id": [me, "me", "null"]},
        {"created_by": [me, "me"]},
        {"watcher_id": [me, "null"]},
        {"estimate_min": 1, "estimate_max": 5},
        {"due_after": "2026-01-01T00:00:00Z", "due_before": "2026-02-01T00:00:00Z"},
    ]
    words: list[dict[str, Any]] = [
        {"due": ["overdue", "today"]},
        {"q": "rope"},
        *({"filter": word} for word in ("status:open,todo", "priority:high,low", "is:blocked,overdue")),
        *(
            {"filter": word}
            for word in ("assignee:me", "creator:me,ada", "watcher:me", "estimate:>5m", "due:<7d")
        ),
    ]
    for place in (f"/projects/{project['id']}", f"/workspaces/{workspace['id']}"):
        for value in values:
            for word in words:
                answer = await owner.get(f"{place}/tasks", **value, **word)
                assert answer.status_code == 200, (value, word, answer.text)


async def test_a_status_may_be_called_as_somebody_is(owner: Caller, project: dict[str, Any]) -> None:
    for key in ("me", "null"):
        await make_status(owner, project, key=key)
        task = await make_task(owner, project, status=key)
        items = (await owner.get(f"/projects/{project['id']}/tasks", status=key)).json()["items"]
        assert [item["id"] for item in items] == [task["id"]]
