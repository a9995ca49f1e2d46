from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from tests.factories.callers import Caller, Callers
from tests.factories.imports import faults_of, load
from tests.factories.tracker import make_label, make_task, make_workspace

pytestmark = pytest.mark.anyio

Bring = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def bring(
    app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> Bring:
    async def bring(content: str | bytes, **options: Any) -> dict[str, Any]:
        raw = content.encode() if isinstance(content, str) else content
        fields = {"project_id": project["id"], "options": options}
        return await load(app, database, owner, workspace, raw, **fields)

    return bring


async def tasks_of(owner: Caller, project: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"/projects/{project['id']}/tasks"
    items: list[dict[str, Any]] = (await owner.get(path, sort="number", limit=100)).json()["items"]
    return items


class TestFile:
    @pytest.mark.parametrize(
        ("content", "options", "code"),
        [
            ("", {}, "NO_HEADER"),
            ("title\nÄ".encode("utf-16"), {}, "NO_HEADER"),
            ('"title\n', {}, "NO_HEADER"),
            ("summary\nOne\n", {}, "UNKNOWN_COLUMNS"),
            ("title\nOne\n", {"mapping": {"title": "Title"}}, "UNKNOWN_COLUMNS"),
        ],
    )
    async def test_without_a_header_that_fits_is_refused(
        self, bring: Bring, content: str | bytes, options: dict[str, Any], code: str
    ) -> None:
        ended = await bring(content, **options)
        assert (ended["status"], ended["error_code"]) == ("failed", code)

    @pytest.mark.parametrize(
        ("content", "options"),
        [
            (b'\xef\xbb\xbf"title";"labels"\r\n"\xc3\x84";"a"\r\n', {}),
            ("title\tlabels\nÄ\ta\n".encode("windows-1252"), {"encoding": "windows-1252"}),
            ("title|labels\nÄ|a".encode(), {"delimiter": "|"}),
        ],
    )
    async def test_of_whatever_make_is_read(
        self, owner: Caller, project: dict[str, Any], bring: Bring, content: bytes, options: dict[str, Any]
    ) -> None:
        ended = await bring(content, **options)
        assert ended == ended | {"status": "completed", "tasks": 1, "labels": 1, "faults": 0}
        assert [task["title"] for task in await tasks_of(owner, project)] == ["Ä"]

    async def test_rows_that_cannot_be_read_are_told(self, owner: Caller, bring: Bring) -> None:
        ended = await bring('title,labels\nOne,a\nTwo,a,b\n"Three\nFour,\n')
        assert (ended["total"], ended["tasks"], ended["faults"]) == (4, 2, 2)
        assert await faults_of(owner, ended) == [
            ("row 3", "INVALID_RECORD", "it has 3 cells, and the first line 2"),
            ("row 4", "INVALID_RECORD", "a quote is not closed"),
        ]


class TestTasks:
    async def test_have_what_the_columns_say(
        self, owner: Caller, project: dict[str, Any], bring: Bring
    ) -> None:
        await make_task(owner, project)
        await bring(
            "id,title,status,priority,assignee,labels,due_at,estimate_minutes,author,url,created_at\n"
            f"A,One,In Progress,urgent,{owner.email.upper()},x,2026-03-01,30,mate,https://example.com,2020-01-01\n"
        )
        _, task = await tasks_of(owner, project)
        assert task == task | {
            "key": "OPS-2",
            "title": "One",
            "status": "in_progress",
            "priority": "urgent",
            "assignee_id": str(owner.id),
            "due_at": "2026-03-01T23:59:00Z",
            "estimate_minutes": 30,
            "created_at": "2020-01-01T00:00:00Z",
            "completed_at": None,
        }
        assert task["external"] == {
            "source": "csv",
            "id": "A",
            "url": "https://example.com",
            "author": "mate",
            "assignees": [],
        }

    async def test_who_is_no_member_is_kept_as_a_name(
        self, owner: Caller, callers: Callers, project: dict[str, Any], bring: Bring
    ) -> None:
        workspace_id = project["workspace_id"]
        stranger, gone = await callers.user(), await callers.member(workspace_id)
        await make_workspace(stranger)
        assert (await owner.delete(f"/workspaces/{workspace_id}/members/{gone.id}")).status_code == 204
        nobodies = ["somebody@example.com", stranger.email, gone.email]
        await bring("title,assignee\n" + "".join(f"One,{name}\n" for name in nobodies))
        found = [
            (task["assignee_id"], task["external"]["assignees"]) for task in await tasks_of(owner, project)
        ]
        assert found == [(None, [name]) for name in nobodies]

    async def test_are_parts_of_those_before_them(
        self, owner: Caller, project: dict[str, Any], bring: Bring
    ) -> None:
        chain = "".join(f"{level},Level {level},{level - 1}\n" for level in range(2, 12))
        ended = await bring(f"id,title,parent\n1,Level 1,\n{chain}a,Lost,b\nb,Late,\n")
        assert (ended["tasks"], ended["faults"]) == (13, 2)
        assert [place for place, _, _ in await faults_of(owner, ended)] == ["row 12", "row 13"]
        tasks = {task["external"]["id"]: task for task in await tasks_of(owner, project)}
        for level in range(2, 11):
            assert tasks[str(level)]["parent_id"] == tasks[str(level - 1)]["id"]
        assert [tasks[id_]["parent_id"] for id_ in ("1", "11", "a", "b")] == [None] * 4
        await owner.delete(f"/tasks/{tasks['b']['id']}")
        later = await bring("id,title,parent\nc,Below,2\nd,Below what is deleted,b\n")
        assert (later["tasks"], later["faults"]) == (2, 1)
        tasks |= {task["external"]["id"]: task for task in await tasks_of(owner, project)}
        assert (tasks["c"]["parent_id"], tasks["d"]["parent_id"]) == (tasks["2"]["id"], None)


class TestExport:
    async def test_of_a_project_comes_into_another_one_as_it_is(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
    ) -> None:
        label = await make_label(owner, project, name="flood")
        whole = await make_task(owner, project, title="=1+1", description=' \'tis\n"so",\n')
        await make_task(
            owner,
            project,
            title="'quoted",
            parent_id=whole["id"],
            status="in_progress",
            priority="high",
            assignee_id=str(owner.id),
            label_ids=[label["id"]],
            due_at="2026-03-01T10:00:00Z",
            start_at="2026-02-01T10:00:00Z",
            estimate_minutes=90,
        )
        done = await make_task(owner, project, title="- done")
        await owner.put(f"/tasks/{done['id']}/completion")
        content = (await owner.get(f"/projects/{project['id']}/export")).content
        ended = await load(app, database, owner, workspace, content, project_key="DEV")
        assert (ended["tasks"], ended["labels"], ended["faults"]) == (3, 1, 0)
        here, there = [
            (await owner.get(f"/projects/{id_}/tasks", sort="number")).json()["items"]
            for id_ in (project["id"], ended["project_id"])
        ]
        for before, after in zip(here, there, strict=True):
            changed = {name for name in before if before[name] != after[name]}
            assert changed - {"parent_id", "label_ids", "version"} == {"id", "project_id", "key", "external"}
            assert after["key"] == before["key"].replace("OPS", "DEV")
            assert (after["external"]["id"], after["external"]["author"]) == (before["id"], owner.username)
        assert there[1]["parent_id"] == there[0]["id"]


class TestAgain:
    async def test_the_same_file_is_known(self, owner: Caller, project: dict[str, Any], bring: Bring) -> None:
        assert (await bring("title\nOne\nOne\n"))["tasks"] == 2
        assert (await bring("title\nOne\nOne\n"))["tasks_there"] == 2
        assert len(await tasks_of(owner, project)) == 2

    async def test_rows_are_known_by_their_ids_in_another_file(
        self, owner: Caller, project: dict[str, Any], bring: Bring
    ) -> None:
        await bring("id,title\nA,One\nB,Two\n")
        grown = await bring("id,title\nC,Three\nB,Two\nA,Other\nC,Three again\n")
        assert (grown["tasks"], grown["tasks_there"]) == (1, 3)
        assert [task["title"] for task in await tasks_of(owner, project)] == ["One", "Two", "Three"]
