from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from glasswork.core.errors import PermissionDeniedError
from glasswork.features.imports.schemas import ImportReport
from glasswork.features.imports.service import BATCH, ImportService, read_github_archive
from glasswork.features.workspaces.errors import WorkspaceNotFoundError
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace

from .archives import MARKDOWN, REPO, encode, make_archive, make_comment, make_issue

pytestmark = pytest.mark.anyio

TABLES = ("projects", "statuses", "labels", "tasks", "task_labels", "comments")


@pytest.fixture
async def owner(callers: Callers) -> Caller:
    return await callers.user()


@pytest.fixture
async def workspace(owner: Caller) -> dict[str, Any]:
    return await make_workspace(owner)


async def load(
    callers: Callers,
    caller: Caller,
    workspace: dict[str, Any],
    archive: dict[str, Any],
    project_key: str | None = None,
) -> tuple[ImportReport, list[int]]:
    """Import; return the report and how the progress was told."""
    progress: list[int] = []
    report = await ImportService(callers.database).import_github(
        caller.actor,
        UUID(workspace["id"]),
        read_github_archive(encode(archive)),
        project_key,
        progress.append,
    )
    return report, progress


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


class TestAccess:
    async def test_outsider_finds_no_workspace(self, callers: Callers, workspace: dict[str, Any]) -> None:
        with pytest.raises(WorkspaceNotFoundError):
            await load(callers, await callers.user(), workspace, make_archive())

    @pytest.mark.parametrize(
        ("key", "fields"),
        [("NEW", {}), ("OPS", {}), ("OPS", {"labels": [], "issues": [make_issue(1)], "pulls": []})],
        ids=["new project", "new label", "new task"],
    )
    async def test_viewer_may_not(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], key: str, fields: dict[str, Any]
    ) -> None:
        await make_project(owner, workspace, key="OPS")
        viewer = await callers.member(workspace["id"], Role.VIEWER)
        member = await callers.member(workspace["id"], Role.MEMBER)
        before = await rows(callers)
        with pytest.raises(PermissionDeniedError):
            await load(callers, viewer, workspace, make_archive(**fields), key)
        assert await rows(callers) == before
        report, _ = await load(callers, member, workspace, make_archive(**fields), key)
        assert report.imported > 0


class TestImport:
    async def test_makes_a_project_named_after_the_source(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        report, progress = await load(callers, owner, workspace, make_archive())
        assert report == ImportReport("KEEPERNOTE", imported=3, already_there=0, labels=3, comments=0)
        assert progress == [3]
        project = (await owner.get(f"/workspaces/{workspace['id']}/projects")).json()["items"][0]
        assert (project["key"], project["name"]) == ("KEEPERNOTE", REPO)
        assert project["description"] == f"Imported from https://github.com/{REPO}"

    async def test_loads_into_the_project_that_is_named(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        project = await make_project(owner, workspace, key="OPS")
        report, _ = await load(callers, owner, workspace, make_archive(), "OPS")
        assert report.project_key == "OPS"
        tasks = await tasks_of(owner, workspace)
        assert list(tasks) == ["OPS-2", "OPS-3", "OPS-5"]
        assert {task["project_id"] for task in tasks.values()} == {project["id"]}
        assert (await make_task(owner, project))["key"] == "OPS-6"

    async def test_keeps_an_open_issue_as_it_was(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        await load(callers, owner, workspace, make_archive(), "OPS")
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
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        lost = make_issue(9, state="CLOSED", updatedAt="2020-03-01T00:00:00Z")
        await load(
            callers, owner, workspace, make_archive(issues=[make_issue(5, state="CLOSED"), lost]), "OPS"
        )
        tasks = await tasks_of(owner, workspace)
        assert {key: (task["status"], task["completed_at"]) for key, task in tasks.items()} == {
            "OPS-3": ("done", "2020-02-01T00:00:00Z"),
            "OPS-5": ("done", "2020-01-02T08:00:00Z"),
            "OPS-9": ("done", "2020-03-01T00:00:00Z"),
        }

    async def test_does_without_author_body_and_url(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        await load(callers, owner, workspace, make_archive(), "OPS")
        task = (await tasks_of(owner, workspace))["OPS-5"]
        assert (task["description"], task["external"]["author"]) == ("", None)
        assert task["external"]["url"] == f"https://github.com/{REPO}/issues/5"

    async def test_brings_labels_with_those_that_only_stand_on_issues(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        await load(callers, owner, workspace, make_archive(), "OPS")
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
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        project = await make_project(owner, workspace, key="OPS")
        lamp = await make_label(owner, project, name="LAMP", color="#000000")
        report, _ = await load(callers, owner, workspace, make_archive(), "OPS")
        assert report.labels == 2
        assert lamp["id"] in (await tasks_of(owner, workspace))["OPS-2"]["label_ids"]
        assert (await owner.get(f"/labels/{lamp['id']}")).json() == lamp


class TestNumbers:
    async def test_a_taken_number_is_replaced_and_the_others_stay(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        project = await make_project(owner, workspace, key="OPS")
        taken = [await make_task(owner, project) for _ in range(2)]
        await owner.delete(f"/tasks/{taken[0]['id']}")
        issues = [make_issue(n) for n in range(1, 2 * BATCH)]
        _, progress = await load(callers, owner, workspace, make_archive(issues=issues, pulls=[]), "OPS")
        assert progress == [BATCH, BATCH - 1]
        numbers = {
            task["external"]["id"]: key
            for key, task in (await tasks_of(owner, workspace)).items()
            if task["external"]
        }
        last = 2 * BATCH - 1
        moved = {"1": f"OPS-{last + 1}", "2": f"OPS-{last + 2}"}
        assert numbers == {str(n): f"OPS-{n}" for n in range(1, last + 1)} | moved
        assert (await make_task(owner, project))["key"] == f"OPS-{last + 3}"

    async def test_that_of_a_task_which_was_moved_out_is_taken(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        project, other = [await make_project(owner, workspace, key=key) for key in ("OPS", "DEV")]
        task = await make_task(owner, project)
        await owner.post(f"/tasks/{task['id']}/move", {"project_id": other["id"]})
        await load(callers, owner, workspace, make_archive(issues=[make_issue(1)], pulls=[]), "OPS")
        assert list(await tasks_of(owner, workspace)) == ["DEV-1", "OPS-2"]
        found = await owner.get(f"/workspaces/{workspace['id']}/tasks/OPS-1")
        assert (found.status_code, found.json()["id"]) == (200, task["id"])


class TestAgain:
    async def test_twice_changes_nothing(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        await make_task(owner, await make_project(owner, workspace, key="OPS"))
        archive = make_archive(pulls=[make_issue(1)])
        first, _ = await load(callers, owner, workspace, archive, "OPS")
        async with callers.database.system_transaction() as session:
            await session.execute(text("UPDATE projects SET updated_at = now() - interval '1 day'"))
        before = await rows(callers)
        again, progress = await load(callers, owner, workspace, archive, "OPS")
        assert (first.imported, first.already_there, first.labels) == (3, 0, 3)
        assert (again.imported, again.already_there, again.labels) == (0, 3, 0)
        assert progress == [3]
        assert await rows(callers) == before

    async def test_does_not_undo_what_was_changed_since(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        await load(callers, owner, workspace, make_archive(), "OPS")
        renamed, deleted, _ = (await tasks_of(owner, workspace)).values()
        await owner.patch(f"/tasks/{renamed['id']}", {"title": "Ours", "label_ids": []})
        await owner.delete(f"/tasks/{deleted['id']}")
        before = await rows(callers)
        await load(callers, owner, workspace, make_archive(), "OPS")
        assert await rows(callers) == before

    async def test_adds_what_is_new(self, owner: Caller, callers: Callers, workspace: dict[str, Any]) -> None:
        await load(callers, owner, workspace, make_archive(), "OPS")
        grown = make_archive(issues=[*make_archive()["issues"], make_issue(7, labels=["new"])])
        report, _ = await load(callers, owner, workspace, grown, "OPS")
        assert (report.imported, report.already_there, report.labels) == (1, 3, 1)
        assert list(await tasks_of(owner, workspace)) == ["OPS-2", "OPS-3", "OPS-5", "OPS-7"]

    @pytest.mark.parametrize("name", ["İstanbul", "ΟΔΟΣ", "ÄRGER"])
    async def test_knows_its_labels_in_every_script(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], name: str
    ) -> None:
        archive = make_archive(labels=[{"name": name, "color": "000000"}])
        await load(callers, owner, workspace, archive)
        report, _ = await load(callers, owner, workspace, archive)
        assert report.labels == 0


class TestComments:
    async def test_keeps_them_as_they_were(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
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
        report, _ = await load(callers, owner, workspace, make_archive(issues=[issue], pulls=[pull]), "OPS")
        assert (report.imported, report.comments) == (2, 3)
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
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        said = [make_comment("a"), make_comment("b")]  # within one second
        archive = make_archive(issues=[make_issue(2, comments=said)], pulls=[])
        first, _ = await load(callers, owner, workspace, archive, "OPS")
        task = (await tasks_of(owner, workspace))["OPS-2"]
        a, b = await comments_of(owner, task)
        await owner.delete(f"/comments/{a['id']}")
        await owner.patch(f"/comments/{b['id']}", {"body": "ours"})
        before = await rows(callers)
        again, _ = await load(callers, owner, workspace, archive, "OPS")
        assert (first.comments, again.comments) == (2, 0)
        assert await rows(callers) == before
        said.append(make_comment("c", createdAt="2020-02-01T00:00:00Z"))
        grown, _ = await load(callers, owner, workspace, archive, "OPS")
        assert (grown.imported, grown.already_there, grown.comments) == (0, 1, 1)
        assert [each["body"] for each in await comments_of(owner, task)] == ["ours", "c"]

    async def test_a_deleted_task_gets_none(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        archive = make_archive(issues=[make_issue(2), make_issue(4)], pulls=[])
        await load(callers, owner, workspace, archive, "OPS")
        await owner.delete(f"/tasks/{(await tasks_of(owner, workspace))['OPS-2']['id']}")
        for issue in archive["issues"]:
            issue["comments"].append(make_comment("a"))
        report, _ = await load(callers, owner, workspace, archive, "OPS")
        assert report.comments == 1
