"""Which project a source goes into that names none: its own, and nobody else's."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.importing import jobs, service
from tests.factories.callers import Caller, Callers
from tests.factories.imports import load, make_import, make_importer, send_file, shown
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.factories.work import work_off
from tests.features.github_archives import archives
from tests.features.trello_boards import boards

pytestmark = pytest.mark.anyio

SOURCES = {
    "trello": (
        boards.encode(boards.make_board()),
        boards.encode(boards.make_board(id="5f0000000000000000000b02", shortLink="other")),
    ),
    "github_archive": (
        archives.encode(archives.make_archive(repo="lighthouse/keeper-notes")),
        archives.encode(archives.make_archive(repo="windmill/keeper-notes")),
    ),
}
KEYS = {"trello": ["LIGHTHOUSE", "LIGHTHOUS2"], "github_archive": ["KEEPERNOTE", "KEEPERNOT2"]}

of_each_format = pytest.mark.parametrize("format_", SOURCES)


class Bringing:
    def __init__(self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]) -> None:
        self._app = app
        self._database = database
        self.owner = owner
        self.workspace = workspace

    async def __call__(self, format_: str, content: bytes, **fields: Any) -> dict[str, Any]:
        return await load(
            self._app, self._database, self.owner, self.workspace, content, format=format_, **fields
        )

    async def start(self, import_: dict[str, Any]) -> dict[str, Any]:
        assert (await self.owner.post(f"/imports/{import_['id']}/start", {})).status_code == 200
        await work_off(self._app, self._database, jobs.RUN_IMPORT)
        return await shown(self.owner, import_)

    async def keys(self) -> list[str]:
        items = (await self.owner.get(f"/workspaces/{self.workspace['id']}/projects")).json()["items"]
        return [item["key"] for item in items]


@pytest.fixture
def bring(app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]) -> Bringing:
    return Bringing(app, database, owner, workspace)


@of_each_format
async def test_two_sources_of_one_name_have_a_project_each(bring: Bringing, format_: str) -> None:
    first, second = SOURCES[format_]
    for tasks, there in ((3, 0), (0, 3)):
        ended = [await bring(format_, content) for content in (first, second)]
        assert [each["project_key"] for each in ended] == KEYS[format_]
        assert [(each["tasks"], each["tasks_there"]) for each in ended] == [(tasks, there)] * 2
    assert await bring.keys() == sorted(KEYS[format_])


@of_each_format
async def test_a_project_of_people_stays_theirs(bring: Bringing, format_: str) -> None:
    theirs = await make_project(bring.owner, bring.workspace, key=KEYS[format_][0])
    await make_task(bring.owner, theirs)
    for tasks in (3, 0):
        ended = await bring(format_, SOURCES[format_][0])
        assert (ended["project_key"], ended["tasks"]) == (KEYS[format_][1], tasks)
    assert len((await bring.owner.get(f"/projects/{theirs['id']}/tasks")).json()["items"]) == 1


async def test_a_project_that_is_named_is_meant(bring: Bringing) -> None:
    theirs = await make_project(bring.owner, bring.workspace, key="LIGHTHOUSE")
    ended = await bring("trello", SOURCES["trello"][0], project_key="LIGHTHOUSE")
    assert (ended["project_id"], ended["tasks"]) == (theirs["id"], 3)
    assert await bring.keys() == ["LIGHTHOUSE"]


async def test_a_project_is_found_again_whatever_its_source_is_called_by_now(bring: Bringing) -> None:
    board = boards.make_board()
    first = await bring("trello", boards.encode(board), project_key="OPS")
    again = await bring("trello", boards.encode(board | {"name": "Beacon"}))
    assert (again["project_id"], again["tasks_there"]) == (first["project_id"], 3)
    await bring.owner.delete(f"/projects/{first['project_id']}")
    anew = await bring("trello", boards.encode(board | {"name": "Beacon"}))
    assert (anew["project_key"], anew["tasks"]) == ("BEACON", 3)


async def test_a_key_that_was_free_in_the_dry_run_may_be_somebodys_by_now(bring: Bringing) -> None:
    dry = await bring("trello", SOURCES["trello"][0], dry_run=True)
    assert (dry["project_key"], dry["project_id"]) == ("LIGHTHOUSE", None)
    await make_project(bring.owner, bring.workspace, key="LIGHTHOUSE")
    ended = await bring.start(dry)
    assert (ended["status"], ended["project_key"], ended["tasks"]) == ("completed", "LIGHTHOUS2", 3)


async def test_what_was_cut_off_is_completed_in_the_same_project(
    app: FastAPI, database: Database, bring: Bringing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH", 1)
    await make_project(bring.owner, bring.workspace, key="LIGHTHOUSE")
    made = await make_import(bring.owner, bring.workspace, format="trello")
    await send_file(bring.owner, made, SOURCES["trello"][0])
    assert await make_importer(app, database).advance(UUID(made["id"]), 0)
    cut_off = await shown(bring.owner, made)
    await bring.owner.delete(f"/imports/{made['id']}")
    rest = await bring("trello", SOURCES["trello"][0])
    assert (rest["project_id"], rest["tasks_there"]) == (cut_off["project_id"], 1)
    assert (rest["project_key"], rest["tasks"]) == ("LIGHTHOUS2", 2)


@pytest.mark.parametrize("contents", [SOURCES["trello"], (SOURCES["trello"][0],) * 2], ids=["two", "same"])
async def test_those_that_begin_at_once_do_not_take_one_key(
    committing_app: FastAPI, committing_callers: Callers, contents: tuple[bytes, bytes]
) -> None:
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    importer = make_importer(committing_app, committing_app.state.database)
    made = [await make_import(owner, workspace, format="trello") for _ in contents]
    for import_, content in zip(made, contents, strict=True):
        await send_file(owner, import_, content)
    async with asyncio.TaskGroup() as group:
        for import_ in made:
            group.create_task(importer.advance(UUID(import_["id"]), 60))
    ended = [await shown(owner, import_) for import_ in made]
    assert [each["status"] for each in ended] == ["completed"] * 2
    keys = {each["project_key"] for each in ended}
    assert keys == ({"LIGHTHOUSE"} if contents[0] == contents[1] else {"LIGHTHOUSE", "LIGHTHOUS2"})
    assert sum(each["tasks"] for each in ended) == 3 * len(keys)
