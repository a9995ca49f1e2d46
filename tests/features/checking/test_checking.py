"""A dry run and what follows it tell the same, of each format."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.importing import jobs, service
from tests.factories.callers import Caller
from tests.factories.imports import faults_of, load, make_import, send_file, shown
from tests.factories.tracker import make_label
from tests.factories.work import work_off
from tests.features.github_archives import archives
from tests.features.github_issues.conftest import github, log
from tests.features.todoist_exports import test_exports as todoist
from tests.features.trello_boards import boards
from tests.github import REPOSITORY, Github
from tests.github import make_comment as make_github_comment
from tests.github import make_issue as make_github_issue

__all__ = ["github", "log"]

pytestmark = pytest.mark.anyio

COUNTS = ("total", "done", "tasks", "tasks_there", "comments", "comments_there", "labels", "faults")

CSV = (
    "id,title,labels,parent\n"
    'A,One,"x, Y",\nB,Two,y,A\nA,One again,z,B\nC,Three,X,nowhere\nD,,x,\nB,Two again,,\n'
    + "".join(f"L{level},Level {level},,{f'L{level - 1}' if level > 1 else ''}\n" for level in range(1, 13))
    + "E,Below what stands alone,,C\n"
).encode()


def trello() -> bytes:
    board = boards.make_board()
    again, stray = (
        board["actions"][0],
        boards.make_action(9, "commentCard", "5f1000000000000000000399", text="?"),
    )
    nowhere = boards.make_action(8, "commentCard", boards.SECOND, text="Late")
    return boards.encode(
        board
        | {
            "cards": [*board["cards"], board["cards"][0]],
            "actions": [*board["actions"], again, stray, nowhere],
        }
    )


def archive() -> bytes:
    talk = [
        archives.make_comment("Aye"),
        archives.make_comment("Aye, aye"),
        archives.make_comment("No", author="boy"),
    ]
    spoken = archives.make_issue(7, comments=talk, labels=["ROPE", "net"])
    made = archives.make_archive()
    return archives.encode(made | {"issues": [*made["issues"], spoken], "pulls": [*made["pulls"], spoken]})


FILES: Mapping[str, Callable[[], bytes]] = {
    "csv": lambda: CSV,
    "trello": trello,
    "todoist": lambda: todoist.BACKUP,
    "github_archive": archive,
}


async def told(owner: Caller, ended: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    now = await shown(owner, ended)
    assert now["status"] in {"checked", "completed"}, now
    return {name: now[name] for name in COUNTS}, await faults_of(owner, ended)


async def left(database: Database) -> int:
    async with database.reading() as session:
        count: int = (await session.execute(text("SELECT count(*) FROM checked_records"))).scalar_one()
        return count


@pytest.fixture(params=[1, 2, 250])
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many records at a time; where they are single ones, each is a turn of its own."""
    monkeypatch.setattr(service, "BATCH", request.param)
    if request.param == 1:
        monkeypatch.setattr(jobs, "TURN_SECONDS", 0)


@pytest.mark.usefixtures("batch")
@pytest.mark.parametrize("format_", FILES)
async def test_of_a_file_says_what_will_be(
    app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any], format_: str
) -> None:
    """In a project that is not there yet, and in one that has all of it but what was deleted."""
    content = FILES[format_]()
    assert (await owner.post(f"/workspaces/{workspace['id']}/labels", {"name": "LAMP"})).status_code == 201
    for round_ in range(2):
        dry = await load(
            app, database, owner, workspace, content, format=format_, project_key="OPS", dry_run=True
        )
        said = await told(owner, dry)
        assert await left(database) == 0
        await owner.post(f"/imports/{dry['id']}/start", {})
        await work_off(app, database, jobs.RUN_IMPORT)
        assert await told(owner, dry) == said
        assert (said[0]["tasks"] == 0) is (round_ == 1)
        items = (await owner.get(f"/workspaces/{workspace['id']}/tasks", sort="number")).json()["items"]
        await owner.delete(f"/tasks/{items[0]['id']}")
    again = await load(
        app, database, owner, workspace, content, format=format_, project_key="OPS", dry_run=True
    )
    assert (await told(owner, again))[0]["tasks"] == 0


@pytest.mark.usefixtures("batch")
async def test_counts_doubles_and_what_is_there(
    app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
) -> None:
    ended = await load(app, database, owner, workspace, CSV, project_key="OPS", dry_run=True)
    counts, faults = await told(owner, ended)
    assert counts == counts | {"tasks": 16, "tasks_there": 2, "labels": 2}
    assert sorted((place, code) for place, code, _ in faults) == [
        ("row 18", "PARENT_NOT_THERE"),
        ("row 5", "PARENT_NOT_THERE"),
        ("row 6", "INVALID_RECORD"),
    ]
    fields = {"format": "trello", "project_key": "SEA"}
    counts, faults = await told(
        owner, await load(app, database, owner, workspace, trello(), dry_run=True, **fields)
    )
    assert counts == counts | {"tasks": 3, "tasks_there": 1, "comments": 3, "comments_there": 1, "labels": 5}
    assert [code for _, code, _ in faults] == ["TASK_NOT_THERE"]
    await load(app, database, owner, workspace, trello(), **fields)
    counts, _ = await told(
        owner, await load(app, database, owner, workspace, trello(), dry_run=True, **fields)
    )
    assert counts == counts | {"tasks": 0, "tasks_there": 4, "comments": 0, "comments_there": 4, "labels": 0}


@pytest.mark.usefixtures("batch")
@pytest.mark.parametrize("state", ["all", "open"])
async def test_of_a_repository_says_what_will_be(
    app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any], github: Github, state: str
) -> None:
    github.issues.append(make_github_issue(2, title="Moved from a page to the next"))
    github.comments += [github.comments[0], make_github_comment(99, "Of nothing")]
    for _ in range(2):
        made = await make_import(
            owner,
            workspace,
            format="github",
            project_key="OPS",
            dry_run=True,
            options={"repository": REPOSITORY, "state": state},
        )
        await work_off(app, database, jobs.RUN_IMPORT)
        said = await told(owner, made)
        await owner.post(f"/imports/{made['id']}/start", {})
        await work_off(app, database, jobs.RUN_IMPORT)
        assert await told(owner, made) == said


async def test_stops_where_a_parent_is_not_there_before_anything_is_stored(
    app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    await make_label(owner, project)
    made = await make_import(owner, workspace, project_id=project["id"], on_error="stop")
    await send_file(owner, made, b"id,title,parent\nA,One,\nB,Two,nowhere\n")
    await work_off(app, database, jobs.RUN_IMPORT)
    ended = await shown(owner, made)
    assert (ended["status"], ended["error_code"]) == ("failed", "BROKEN_RECORDS")
    assert await left(database) == 0
    assert (await owner.get(f"/workspaces/{workspace['id']}/tasks")).json()["items"] == []
