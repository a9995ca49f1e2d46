import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from glasswork.core.db import Database
from glasswork.core.errors import ServiceUnavailableError
from glasswork.features.importing import jobs, service
from glasswork.features.importing.service import Importer
from glasswork.features.imports.models import Import
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.imports import faults_of, load, make_import, make_importer, send_file, shown
from tests.factories.tracker import make_project, make_workspace
from tests.factories.work import work_off

pytestmark = pytest.mark.anyio

GOOD = b"title,status\nOne,todo\nTwo,Done\n"
BROKEN = b"title,status\nOne,todo\n,todo\nThree,nowhere\nFour,done\n"
FAULTS = [
    ("row 3", "INVALID_RECORD", "title: Field required"),
    ("row 4", "UNKNOWN_STATUS", "status: must be one of todo, in_progress, done"),
]
LONG = 60.0


@pytest.fixture
def importer(app: FastAPI, database: Database) -> Importer:
    return make_importer(app, database)


async def titles(caller: Caller, workspace: dict[str, Any]) -> list[str]:
    items = (await caller.get(f"/workspaces/{workspace['id']}/tasks", sort="number")).json()["items"]
    return [item["title"] for item in items]


async def events(caller: Caller, workspace: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Of imports, with the status that they came to."""
    items = (await caller.get(f"/workspaces/{workspace['id']}/changes")).json()["items"]
    return [
        (each["type"], (each["after"] or {}).get("status"))
        for each in items
        if each["subject"]["type"] == "import"
    ]


class TestBrokenRecords:
    async def test_are_told_and_left_out(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        ended = await load(app, database, owner, workspace, BROKEN, project_key="OPS")
        assert ended == ended | {"status": "completed", "total": 4, "done": 4, "tasks": 2, "faults": 2}
        assert await faults_of(owner, ended) == FAULTS
        assert await titles(owner, workspace) == ["One", "Four"]

    async def test_stop_everything_by_choice(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        fields = {"project_key": "OPS", "on_error": "stop"}
        ended = await load(app, database, owner, workspace, BROKEN, **fields)
        assert (ended["status"], ended["error_code"]) == ("failed", "BROKEN_RECORDS")
        assert await faults_of(owner, ended) == FAULTS
        assert (await owner.get(f"/workspaces/{workspace['id']}/projects")).json()["items"] == []
        other = await load(app, database, owner, workspace, BROKEN, **fields)
        again = await owner.post(f"/imports/{ended['id']}/start", {"on_error": "skip"})
        assert again.status_code == 200
        await work_off(app, database, jobs.RUN_IMPORT)
        assert (await shown(owner, ended))["status"] == "completed"
        assert await faults_of(owner, other) == FAULTS
        assert await titles(owner, workspace) == ["One", "Four"]
        good = await load(app, database, owner, workspace, GOOD, **fields)
        assert (good["status"], good["tasks"], good["done"]) == ("completed", 2, 2)

    async def test_of_which_there_are_many_are_counted_and_some_are_kept(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        workspace: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("glasswork.features.imports.repository.MOST_FAULTS", 3)
        monkeypatch.setattr(service, "BATCH", 2)
        content = b"title,status\n" + b",todo\n" * 5
        ended = await load(app, database, owner, workspace, content, project_key="OPS")
        assert (ended["status"], ended["faults"]) == ("completed", 5)
        assert [place for place, _, _ in await faults_of(owner, ended)] == ["row 2", "row 3", "row 4"]


class TestDryRun:
    async def test_tells_what_would_be_and_stores_nothing(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        fields = {"project_key": "OPS", "dry_run": True}
        ended = await load(app, database, owner, workspace, BROKEN, **fields)
        assert ended == ended | {"status": "checked", "tasks": 2, "faults": 2, "project_id": None}
        assert await faults_of(owner, ended) == FAULTS
        assert (await owner.get(f"/workspaces/{workspace['id']}/projects")).json()["items"] == []
        await owner.post(f"/imports/{ended['id']}/start", {})
        await work_off(app, database, jobs.RUN_IMPORT)
        done = await shown(owner, ended)
        assert done == done | {"status": "completed", "tasks": 2, "tasks_there": 0, "faults": 2}
        assert await titles(owner, workspace) == ["One", "Four"]

    async def test_knows_what_is_there(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        project = await make_project(owner, workspace, key="OPS")
        await load(app, database, owner, workspace, GOOD, project_id=project["id"])
        for place in ({"project_id": project["id"]}, {"project_key": "OPS"}):
            ended = await load(app, database, owner, workspace, GOOD, dry_run=True, **place)
            assert ended == ended | {"status": "checked", "tasks": 0, "tasks_there": 2}
            assert ended["project_id"] == project["id"]


class TestTurns:
    async def test_a_job_that_has_had_its_turn_orders_the_next_one(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        workspace: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "BATCH", 1)
        monkeypatch.setattr(jobs, "TURN_SECONDS", 0)
        ended = await load(app, database, owner, workspace, GOOD, project_key="OPS", on_error="stop")
        assert (ended["status"], ended["tasks"], ended["done"]) == ("completed", 2, 2)
        assert await titles(owner, workspace) == ["One", "Two"]
        assert await events(owner, workspace) == [
            ("import.created", "awaiting_file"),
            ("import.updated", "queued"),
            ("import.updated", "completed"),
        ]

    async def test_of_two_at_once_make_nothing_twice(
        self, committing_app: FastAPI, committing_callers: Callers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "BATCH", 1)
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        made = await make_import(owner, workspace, project_key="OPS")
        await send_file(owner, made, b"title\n" + b"One\n" * 10)
        importer = make_importer(committing_app, committing_app.state.database)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(until_it_rests(importer, UUID(made["id"])))
        ended = await shown(owner, made)
        assert ended == ended | {"status": "completed", "tasks": 10, "tasks_there": 0, "done": 10}
        assert len(await titles(owner, workspace)) == 10


class TestEnds:
    async def ended(
        self, app: FastAPI, database: Database, owner: Caller, made: dict[str, Any]
    ) -> tuple[str, str | None]:
        await work_off(app, database, jobs.RUN_IMPORT)
        now = await shown(owner, made)
        return now["status"], now["error_code"]

    async def test_when_who_made_it_has_left(
        self, app: FastAPI, database: Database, callers: Callers, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        member = await callers.member(workspace["id"])
        made = await make_import(member, workspace, project_key="OPS")
        await send_file(member, made, GOOD)
        await owner.delete(f"/workspaces/{workspace['id']}/members/{member.id}")
        assert await self.ended(app, database, owner, made) == ("failed", "WORKSPACE_NOT_FOUND")
        assert await titles(owner, workspace) == []
        assert (await events(owner, workspace))[-1] == ("import.updated", "failed")

    @pytest.mark.parametrize("is_there", [False, True], ids=["a new project", "a project"])
    async def test_when_who_made_it_may_only_look_by_now(
        self,
        app: FastAPI,
        database: Database,
        callers: Callers,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        is_there: bool,
    ) -> None:
        member = await callers.member(workspace["id"])
        where = {"project_id": project["id"]} if is_there else {"project_key": "NEW"}
        made = await make_import(member, workspace, **where)
        await send_file(member, made, GOOD)
        path = f"/workspaces/{workspace['id']}/members/{member.id}"
        assert (await owner.patch(path, {"role": Role.VIEWER})).status_code == 200
        assert await self.ended(app, database, owner, made) == ("failed", "PERMISSION_DENIED")
        assert await titles(owner, workspace) == []

    async def test_when_its_project_is_deleted(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
    ) -> None:
        made = await make_import(owner, workspace, project_id=project["id"])
        await send_file(owner, made, GOOD)
        await owner.delete(f"/projects/{project['id']}")
        assert await self.ended(app, database, owner, made) == ("failed", "PROJECT_NOT_FOUND")

    async def test_when_its_workspace_is_deleted(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        made = await make_import(owner, workspace, project_key="OPS")
        await send_file(owner, made, GOOD)
        await owner.delete(f"/workspaces/{workspace['id']}")
        await work_off(app, database, jobs.RUN_IMPORT)
        async with database.reading() as session:
            status = await session.scalar(select(Import.status).where(Import.id == UUID(made["id"])))
        assert status == "queued"

    async def test_when_it_is_deleted(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        made = await make_import(owner, workspace, project_key="OPS")
        await send_file(owner, made, GOOD)
        assert (await owner.delete(f"/imports/{made['id']}")).status_code == 204
        await work_off(app, database, jobs.RUN_IMPORT)
        assert (await owner.get(f"/imports/{made['id']}")).status_code == 404
        assert await titles(owner, workspace) == []

    async def test_not_when_a_neighbour_is_away(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        workspace: dict[str, Any],
        importer: Importer,
        folder: Path,
    ) -> None:
        made = await make_import(owner, workspace, project_key="OPS")
        await send_file(owner, made, GOOD)
        away = folder.rename(folder.with_name("away"))  # noqa: ASYNC240
        with pytest.raises(ServiceUnavailableError):
            await importer.advance(UUID(made["id"]), LONG)
        away.rename(folder)
        assert (await shown(owner, made))["status"] == "queued"
        assert await self.ended(app, database, owner, made) == ("completed", None)


async def until_it_rests(importer: Importer, import_id: UUID) -> None:
    while await importer.advance(import_id, 0):
        pass
