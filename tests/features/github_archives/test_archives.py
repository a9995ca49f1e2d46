from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.importing import service
from tests.factories.callers import Caller, Callers
from tests.factories.imports import load
from tests.factories.tracker import make_label, make_project, make_task

from .archives import MARKDOWN, REPO, encode, make_archive, make_comment, make_issue

pytestmark = pytest.mark.anyio

Bring = Callable[..., Awaitable[dict[str, Any]]]

TABLES = ("projects", "statuses", "labels", "tasks", "task_labels", "comments")


@pytest.fixture
def bring(app: FastAPI, database: Database, workspace: dict[str, Any]) -> Bring:
    async def bring(
        caller: Caller, archive: dict[str, Any], project_key: str | None = None
    ) -> dict[str, Any]:
        fields = {"format": "github_archive", "project_key": project_key}
        return await load(app, database, caller, workspace, encode(archive), **fields)

    return bring


async def tasks_of(caller: Caller, workspace: dict[str, Any]) -> dict[str, dict[str, Any]]:
    path = f"/workspaces/{workspace['id']}/tasks"
    items = (await caller.get(path, sort="number", limit=100)).json()["items"]
    return {item["key"]: item for item in items}


async def comments_of(caller: Caller, task: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await caller.get(f"/tasks/{task['id']}/comments")).json()["items"]
    return items


async def rows(callers: Callers) -> dict[str, list[str]]:
    async with callers.database.reading() as session:
        return {
            table: sorted(await session.scalars(text(f"SELECT t::text FROM {table} t"))) for table in TABLES
        }


class TestImport:
    async def test_makes_a_project_named_after_the_source(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        report = await bring(owner, make_archive())
        assert report == report | {
            "project_key": "KEEPERNOTE",
            "status": "completed",
            "source": f"github.com/{REPO}",
        }
        assert report == report | {
            "total": 3,
            "done": 3,
            "tasks": 3,
            "tasks_there": 0,
            "labels": 3,
            "faults": 0,
        }
        project = (await owner.get(f"/workspaces/{workspace['id']}/projects")).json()["items"][0]
        assert (project["key"], project["name"]) == ("KEEPERNOTE", REPO)
        assert project["description"] == f"Imported from https://github.com/{REPO}"

    async def test_loads_into_the_project_that_is_named(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        project = await make_project(owner, workspace, key="OPS")
        report = await bring(owner, make_archive(), "OPS")
        assert report["project_key"] == "OPS"
        tasks = await tasks_of(owner, workspace)
        assert list(tasks) == ["OPS-2", "OPS-3", "OPS-5"]
        assert {task["project_id"] for task in tasks.values()} == {project["id"]}
        assert (await make_task(owner, project))["key"] == "OPS-6"

    async def test_keeps_an_open_issue_as_it_was(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        await bring(owner, make_archive(), "OPS")
        task = (await tasks_of(owner, workspace))["OPS-2"]
        assert (task["title"], task["description"]) == ("Trim the wick", MARKDOWN)
        assert (task["status"], task["completed_at"], task["priority"]) == ("todo", None, "none")
        assert (task["created_at"], task["updated_at"]) == ("2020-01-01T08:00:00Z", "2020-01-02T08:00:00Z")
        assert (task["created_by"], task["assignee_id"], task["version"]) == (str(owner.id), None, 1)
        assert task["external"] == {
            "source": f"github.com/{REPO}",
            "id": "2",
            "url": f"https://github.com/{REPO}/issues/2",
            "author": "keeper",
            "assignees": ["mate", "boy"],
        }

    async def test_closed_and_merged_are_done(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        lost = make_issue(9, state="CLOSED", updatedAt="2020-03-01T00:00:00Z")
        await bring(owner, make_archive(issues=[make_issue(5, state="CLOSED"), lost]), "OPS")
        tasks = await tasks_of(owner, workspace)
        assert {key: (task["status"], task["completed_at"]) for key, task in tasks.items()} == {
            "OPS-3": ("done", "2020-02-01T00:00:00Z"),
            "OPS-5": ("done", "2020-01-02T08:00:00Z"),
            "OPS-9": ("done", "2020-03-01T00:00:00Z"),
        }

    async def test_does_without_author_body_and_url(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        await bring(owner, make_archive(), "OPS")
        task = (await tasks_of(owner, workspace))["OPS-5"]
        assert (task["description"], task["external"]["author"]) == ("", None)
        assert task["external"]["url"] == f"https://github.com/{REPO}/issues/5"

    async def test_brings_labels_with_those_that_only_stand_on_issues(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        await bring(owner, make_archive(), "OPS")
        tasks = await tasks_of(owner, workspace)
        path = f"/projects/{tasks['OPS-2']['project_id']}/labels"
        labels = {label["id"]: label for label in (await owner.get(path)).json()["items"]}
        assert {(label["name"], label["color"], label["description"]) for label in labels.values()} == {
            ("Lamp", "#fbca04", "What shines"),
            ("rope", "#0e8a16", ""),
            ("driftwood", "#808080", ""),
        }
        names = {key: {labels[n]["name"] for n in task["label_ids"]} for key, task in tasks.items()}
        assert names == {"OPS-2": {"Lamp", "driftwood"}, "OPS-3": {"rope"}, "OPS-5": set()}

    async def test_uses_the_labels_that_are_there(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        project = await make_project(owner, workspace, key="OPS")
        lamp = await make_label(owner, project, name="LAMP", color="#000000")
        report = await bring(owner, make_archive(), "OPS")
        assert report["labels"] == 2
        assert lamp["id"] in (await tasks_of(owner, workspace))["OPS-2"]["label_ids"]
        assert (await owner.get(f"/labels/{lamp['id']}")).json() == lamp


class TestNumbers:
    async def test_a_taken_number_is_replaced_and_the_others_stay(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        bring: Bring,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "BATCH", 4)
        project = await make_project(owner, workspace, key="OPS")
        taken = [await make_task(owner, project) for _ in range(2)]
        await owner.delete(f"/tasks/{taken[0]['id']}")
        issues = [make_issue(n) for n in range(1, 2 * 4)]
        await bring(owner, make_archive(issues=issues, pulls=[]), "OPS")
        numbers = {
            task["external"]["id"]: key
            for key, task in (await tasks_of(owner, workspace)).items()
            if task["external"]
        }
        last = 2 * 4 - 1
        moved = {"1": f"OPS-{last + 1}", "2": f"OPS-{last + 2}"}
        assert numbers == {str(n): f"OPS-{n}" for n in range(1, last + 1)} | moved
        assert (await make_task(owner, project))["key"] == f"OPS-{last + 3}"

    async def test_that_of_a_task_which_was_moved_out_is_taken(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        project, other = [await make_project(owner, workspace, key=key) for key in ("OPS", "DEV")]
        task = await make_task(owner, project)
        await owner.post(f"/tasks/{task['id']}/move", {"project_id": other["id"]})
        await bring(owner, make_archive(issues=[make_issue(1)], pulls=[]), "OPS")
        assert list(await tasks_of(owner, workspace)) == ["DEV-1", "OPS-2"]
        found = await owner.get(f"/workspaces/{workspace['id']}/tasks/OPS-1")
        assert (found.status_code, found.json()["id"]) == (200, task["id"])


class TestAgain:
    async def test_twice_changes_nothing(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], bring: Bring
    ) -> None:
        await make_task(owner, await make_project(owner, workspace, key="OPS"))
        archive = make_archive(pulls=[make_issue(1)])
        first = await bring(owner, archive, "OPS")
        async with callers.database.system_transaction() as session:
            await session.execute(text("UPDATE projects SET updated_at = now() - interval '1 day'"))
        before = await rows(callers)
        again = await bring(owner, archive, "OPS")
        assert (first["tasks"], first["tasks_there"], first["labels"]) == (3, 0, 3)
        assert (again["tasks"], again["tasks_there"], again["labels"]) == (0, 3, 0)
        assert await rows(callers) == before

    async def test_does_not_undo_what_was_changed_since(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], bring: Bring
    ) -> None:
        await bring(owner, make_archive(), "OPS")
        renamed, deleted, _ = (await tasks_of(owner, workspace)).values()
        await owner.patch(f"/tasks/{renamed['id']}", {"title": "Ours", "label_ids": []})
        await owner.delete(f"/tasks/{deleted['id']}")
        before = await rows(callers)
        await bring(owner, make_archive(), "OPS")
        assert await rows(callers) == before

    async def test_adds_what_is_new(self, owner: Caller, workspace: dict[str, Any], bring: Bring) -> None:
        await bring(owner, make_archive(), "OPS")
        grown = make_archive(issues=[*make_archive()["issues"], make_issue(7, labels=["new"])])
        report = await bring(owner, grown, "OPS")
        assert (report["tasks"], report["tasks_there"], report["labels"]) == (1, 3, 1)
        assert list(await tasks_of(owner, workspace)) == ["OPS-2", "OPS-3", "OPS-5", "OPS-7"]

    @pytest.mark.parametrize("name", ["İstanbul", "ΟΔΟΣ", "ÄRGER"])
    async def test_knows_its_labels_in_every_script(self, owner: Caller, bring: Bring, name: str) -> None:
        archive = make_archive(labels=[{"name": name, "color": "000000"}])
        await bring(owner, archive)
        report = await bring(owner, archive)
        assert report["labels"] == 0


class TestComments:
    async def test_keeps_them_as_they_were(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        edited = "2020-01-05T00:00:00Z"
        issue = make_issue(
            2,
            comments=[
                make_comment("", author=None, createdAt="2020-01-03T00:00:00Z", updatedAt=edited),
                make_comment(MARKDOWN + f"@{owner.username}"),
            ],
        )
        pull = make_issue(3, comments=[make_comment("Merge it.")])
        report = await bring(owner, make_archive(issues=[issue], pulls=[pull]), "OPS")
        assert (report["tasks"], report["comments"]) == (2, 3)
        tasks = await tasks_of(owner, workspace)
        first, second = await comments_of(owner, tasks["OPS-2"])
        assert first == first | {
            "body": MARKDOWN + f"@{owner.username}",
            "mentions": [],
            "author_id": str(owner.id),
            "reply_to_id": None,
            "created_at": "2020-01-01T09:00:00Z",
            "updated_at": "2020-01-01T09:00:00Z",
            "edited_at": None,
            "version": 1,
            "external": {
                "source": f"github.com/{REPO}",
                "id": "2/2020-01-01T09:00:00Z/mate",
                "url": f"https://github.com/{REPO}/issues/2",
                "author": "mate",
            },
        }
        assert (second["body"], second["external"]["author"]) == ("", None)
        assert (second["created_at"], second["edited_at"]) == ("2020-01-03T00:00:00Z", edited)
        assert [each["body"] for each in await comments_of(owner, tasks["OPS-3"])] == ["Merge it."]
        changes = (await owner.get(f"/workspaces/{workspace['id']}/changes")).json()["items"]
        told = [change["after"] for change in changes if change["type"] == "comment.created"]
        assert {each["id"] for each in told} >= {first["id"], second["id"]}
        assert len(told) == 3

    async def test_twice_is_once_and_what_is_new_is_added(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], bring: Bring
    ) -> None:
        said = [make_comment("a"), make_comment("b")]  # within one second
        archive = make_archive(issues=[make_issue(2, comments=said)], pulls=[])
        first = await bring(owner, archive, "OPS")
        task = (await tasks_of(owner, workspace))["OPS-2"]
        a, b = await comments_of(owner, task)
        await owner.delete(f"/comments/{a['id']}")
        await owner.patch(f"/comments/{b['id']}", {"body": "ours"})
        before = await rows(callers)
        again = await bring(owner, archive, "OPS")
        assert (first["comments"], again["comments"]) == (2, 0)
        assert await rows(callers) == before
        said.append(make_comment("c", createdAt="2020-02-01T00:00:00Z"))
        grown = await bring(owner, archive, "OPS")
        assert (grown["tasks"], grown["tasks_there"], grown["comments"]) == (0, 1, 1)
        assert [each["body"] for each in await comments_of(owner, task)] == ["ours", "c"]

    async def test_a_deleted_task_gets_none(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        archive = make_archive(issues=[make_issue(2), make_issue(4)], pulls=[])
        await bring(owner, archive, "OPS")
        await owner.delete(f"/tasks/{(await tasks_of(owner, workspace))['OPS-2']['id']}")
        for issue in archive["issues"]:
            issue["comments"].append(make_comment("a"))
        report = await bring(owner, archive, "OPS")
        assert report["comments"] == 1
