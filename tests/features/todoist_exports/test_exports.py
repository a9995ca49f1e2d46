import csv
import io
import zipfile
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from glasswork.core import foreign_zips
from glasswork.core.db import Database
from glasswork.features.importing import service as importing
from glasswork.features.todoist_exports import service
from tests.factories.callers import Caller
from tests.factories.imports import faults_of, load, make_import, make_importer, send_file, shown

pytestmark = pytest.mark.anyio

Bring = Callable[..., Awaitable[dict[str, Any]]]

COLUMNS = (
    *("TYPE", "CONTENT", "DESCRIPTION", "IS_COLLAPSED", "PRIORITY", "INDENT", "AUTHOR", "RESPONSIBLE"),
    *("DATE", "DATE_LANG", "TIMEZONE", "DURATION", "DURATION_UNIT", "DEADLINE", "DEADLINE_LANG"),
)


def table(*rows: dict[str, str]) -> bytes:
    """As it is exported: with a mark at its beginning, and an empty row after each section."""
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return b"\xef\xbb\xbf" + written.getvalue().encode()


def task(content: str, indent: int = 1, **cells: str) -> dict[str, str]:
    plain = {"PRIORITY": "4", "INDENT": str(indent), "TIMEZONE": "Europe/Berlin", "DATE_LANG": "en"}
    return {"TYPE": "task", "CONTENT": content} | plain | cells


def note(content: str, date: str = "2020-01-02T03:04:05.000000Z") -> dict[str, str]:
    return {"TYPE": "note", "CONTENT": content, "AUTHOR": "Mate (17)", "DATE": date}


def section(name: str) -> dict[str, str]:
    return {"TYPE": "section", "CONTENT": name, "IS_COLLAPSED": "False"}


HOUSE = table(
    {"TYPE": "meta", "CONTENT": "view_style=list"},
    {},
    task(
        "Oil the window @house",
        PRIORITY="1",
        DESCRIPTION="With linseed",
        AUTHOR="Keeper (8908577)",
        RESPONSIBLE="Boy (18)",
        DATE="2026-07-19",
    ),
    task("Bath", 2, PRIORITY="2", DATE="every year"),
    note("Used the other oil"),
    note("No date", date=""),
    task("Tap", 3, PRIORITY="3"),
    task("Door"),
    {},
    section("In progress"),
    task("Clean"),
    section("Ideas"),
    task("Tower"),
)


def packed(**files: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


BACKUP = packed(
    **{
        "House [6Crg8jQ886Wh4P5g].csv": HOUSE,
        "Boat.csv": table(task("Bail"), note("Aye")),
        "read me.txt": b"no table",
        "__MACOSX/._Boat.csv": b"\x00\x05\x16\x07",
    }
)


@pytest.fixture
def bring(app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]) -> Bring:
    async def bring(content: bytes, **options: Any) -> dict[str, Any]:
        fields = {"format": "todoist", "project_key": "OPS", "options": options}
        return await load(app, database, owner, workspace, content, **fields)

    return bring


async def tasks_of(owner: Caller, workspace: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By their titles, with the names of their labels and that of the task above."""
    tasks = (await owner.get(f"/workspaces/{workspace['id']}/tasks", sort="number")).json()["items"]
    path = f"/projects/{tasks[0]['project_id']}/labels"
    labels = {each["id"]: each["name"] for each in (await owner.get(path)).json()["items"]}
    titles = {each["id"]: each["title"] for each in tasks} | {None: None}
    return {
        each["title"]: each
        | {"labels": sorted(labels[n] for n in each["label_ids"]), "above": titles[each["parent_id"]]}
        for each in tasks
    }


def broken(content: bytes, marker: bytes, instead: bytes) -> bytes:
    assert marker in content
    return content.replace(marker, instead)


class TestFile:
    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "NO_TODOIST_EXPORT"),
            (b"title\nOne\n", "NO_TODOIST_EXPORT"),
            ("TYPE,CONTENT\ntask,Ä\n".encode("utf-16"), "NO_TODOIST_EXPORT"),
            (packed(**{"a.txt": b"x"}), "NO_TODOIST_EXPORT"),
            (packed(**{"a.csv": HOUSE, "b.csv": b"title\n"}), "NO_TODOIST_EXPORT"),
            (BACKUP[:-40], "UNREADABLE_ZIP"),
            (BACKUP[:60] + bytes(20) + BACKUP[80:], "UNREADABLE_ZIP"),
            (
                broken(BACKUP, b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"),
                "UNREADABLE_ZIP",
            ),
        ],
    )
    async def test_that_is_no_export_is_refused(self, bring: Bring, content: bytes, code: str) -> None:
        ended = await bring(content)
        assert (ended["status"], ended["error_code"]) == ("failed", code)

    @pytest.mark.parametrize(
        ("module", "limit", "size"), [(foreign_zips, "MOST_UNPACKED", 999_999), (service, "MOST_BYTES", 1000)]
    )
    async def test_that_is_small_and_unpacks_to_much_is_refused(
        self, bring: Bring, monkeypatch: pytest.MonkeyPatch, module: Any, limit: str, size: int
    ) -> None:
        bomb = packed(**{"a.csv": HOUSE, "b.bin": bytes(1_000_000)})
        assert len(bomb) > 1000
        assert (await bring(bomb))["status"] == "completed"
        monkeypatch.setattr(module, limit, size)
        ended = await bring(bomb)
        assert (ended["status"], ended["error_code"]) == ("failed", "ZIP_TOO_LARGE")

    async def test_needs_a_project(self, owner: Caller, workspace: dict[str, Any]) -> None:
        refused = await owner.post(f"/workspaces/{workspace['id']}/imports", {"format": "todoist"})
        assert refused.json()["error"]["details"]["errors"][0]["code"] == "project_needed"


class TestRows:
    async def test_are_kept_with_all_that_stands_in_them(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        ended = await bring(HOUSE)
        counts = {"total": 8, "done": 8, "tasks": 6, "comments": 2, "faults": 0}
        assert ended == ended | counts | {"status": "completed"}
        tasks = await tasks_of(owner, workspace)
        first = tasks["Oil the window"]
        assert first == first | {
            "description": "With linseed",
            "status": "todo",
            "priority": "urgent",
            "due_at": "2026-07-19T21:59:00Z",
            "labels": ["house"],
        }
        assert first["external"] == first["external"] | {"id": "4", "author": "Keeper", "assignees": ["Boy"]}
        assert {
            title: (each["above"], each["priority"], each["status"], each["labels"])
            for title, each in tasks.items()
        } == {
            "Oil the window": (None, "urgent", "todo", ["house"]),
            "Bath": ("Oil the window", "high", "todo", []),
            "Tap": ("Bath", "medium", "todo", []),
            "Door": (None, "none", "todo", []),
            "Clean": (None, "none", "in_progress", []),
            "Tower": (None, "none", "todo", ["Ideas"]),
        }
        assert tasks["Bath"]["description"] == "Date: every year"
        comments = (await owner.get(f"/tasks/{tasks['Bath']['id']}/comments")).json()["items"]
        assert [(each["body"], each["external"]["author"]) for each in comments] == [
            ("Used the other oil", "Mate"),
            ("No date", "Mate"),
        ]
        assert comments[0]["created_at"] == "2020-01-02T03:04:05Z"

    async def test_of_a_section_have_the_status_that_is_asked_for(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        await bring(HOUSE, statuses={"Ideas": "done"})
        tower = (await tasks_of(owner, workspace))["Tower"]
        assert (tower["status"], tower["labels"]) == ("done", [])

    async def test_that_are_broken_are_left_out(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        content = table(
            note("Of the project"),
            task(""),
            task("Below it", 2),
            {"TYPE": "spell", "CONTENT": "?"},
            task("Whole"),
            note("a\0b"),
        )
        ended = await bring(content + b'task,"open\nnote,lost\ntask' + b",x" * 20 + b"\ntask,Short\n")
        assert await faults_of(owner, ended) == [
            ("row 2", "TASK_NOT_THERE", "note: there is no task above it"),
            ("row 3", "INVALID_RECORD", "title: String should have at least 1 character"),
            ("row 5", "INVALID_RECORD", "TYPE: must be task, section, note or meta"),
            ("row 7", "INVALID_RECORD", r"body: String should match pattern '^[^\x00]*$'"),
            ("row 8", "INVALID_RECORD", "a quote is not closed"),
            ("row 9", "TASK_NOT_THERE", "note: there is no task above it"),
            ("row 10", "INVALID_RECORD", "it has 21 cells, and the first line 15"),
            (
                "row 4",
                "PARENT_NOT_THERE",
                "parent: it does not come before, or 10 levels are not enough; the task stands alone",
            ),
        ]
        assert [*await tasks_of(owner, workspace)] == ["Below it", "Whole", "Short"]

    @pytest.mark.parametrize(
        ("name", "label"), [("\0Ideas\0", "Ideas"), ("x" * 200, "x" * 100), ("\0", None)]
    )
    async def test_of_a_section_with_an_odd_name_have_what_is_left_of_it(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring, name: str, label: str | None
    ) -> None:
        ended = await bring(table(section(name), task("Tower")))
        assert (ended["status"], ended["faults"]) == ("completed", 0)
        assert (await tasks_of(owner, workspace))["Tower"]["labels"] == ([label] if label else [])


class TestBackup:
    async def test_brings_the_projects_together(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        ended = await bring(BACKUP)
        assert ended == ended | {"status": "completed", "total": 10, "done": 10, "tasks": 7, "comments": 3}
        tasks = await tasks_of(owner, workspace)
        assert tasks["Bail"]["labels"] == ["Boat"]
        assert [name.lower() for name in tasks["Oil the window"]["labels"]] == ["house"]
        assert (tasks["Tap"]["labels"], tasks["Tap"]["above"]) == (["House"], "Bath")
        assert tasks["Tower"]["labels"] == ["House", "Ideas"]

    async def test_says_in_which_file_a_row_is_broken(self, owner: Caller, bring: Bring) -> None:
        ended = await bring(packed(**{"a.csv": HOUSE, "b.csv": table(task(""))}))
        assert [fault[:2] for fault in await faults_of(owner, ended)] == [("b.csv row 2", "INVALID_RECORD")]


@pytest.mark.parametrize("content", [HOUSE, BACKUP], ids=["csv", "zip"])
async def test_twice_is_once(bring: Bring, content: bytes) -> None:
    first = await bring(content)
    again = await bring(content)
    assert (again["tasks"], again["tasks_there"]) == (0, first["tasks"])
    assert (again["comments"], again["comments_there"]) == (0, first["comments"])


@pytest.mark.parametrize("content", [HOUSE, BACKUP], ids=["csv", "zip"])
async def test_who_follows_a_killed_one_goes_on_behind_it(
    app: FastAPI,
    database: Database,
    owner: Caller,
    workspace: dict[str, Any],
    bring: Bring,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
) -> None:
    monkeypatch.setattr(importing, "BATCH", 1)
    made = await make_import(owner, workspace, format="todoist", project_key="OPS")
    await send_file(owner, made, content)
    turns = 1
    while await make_importer(app, database).advance(UUID(made["id"]), 0):
        turns += 1
    ended = await shown(owner, made)
    assert (turns, ended["tasks_there"], ended["comments_there"]) == (ended["total"], 0, 0)
    tasks = await tasks_of(owner, workspace)
    assert (tasks["Tap"]["above"], tasks["Clean"]["status"]) == ("Bath", "in_progress")
    assert (await bring(content))["tasks"] == 0
