import asyncio
import json
from contextlib import suppress
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.errors import ServiceUnavailableError
from glasswork.core.models import Base
from glasswork.core.storage import Storage, key_of
from glasswork.features.announcements.jobs import SEND_ANNOUNCEMENT
from glasswork.features.archives.errors import BrokenFileError
from glasswork.features.archives.jobs import MAKE_ARCHIVE
from glasswork.features.archives.models import ARCHIVED, LIFETIME, STAYS, archived_tables
from glasswork.features.archives.service import MakingService
from glasswork.features.attachments.service import SweepService
from glasswork.features.retention.service import PurgeService
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD_HASH, Caller, Callers
from tests.factories.files import PDF, make_attachment
from tests.factories.tracker import make_announcement, make_project, make_task, make_workspace, multiply_tasks
from tests.factories.work import work_off
from tests.features.accounts.sign_in import error_of
from tests.features.conftest import files_in

from .moving import order, take_out

pytestmark = pytest.mark.anyio


def refusal(answer: Response) -> tuple[int, str]:
    return answer.status_code, error_of(answer)["code"]


def test_each_table_of_workspaces_is_in_it_or_stays_for_a_reason() -> None:
    of_workspaces = {name for name, table in Base.metadata.tables.items() if "workspace_id" in table.c}
    parts = {
        name
        for name, table in Base.metadata.tables.items()
        if any(key.referred_table.name in of_workspaces for key in table.foreign_key_constraints)
    }
    assert sorted([*ARCHIVED, *STAYS]) == sorted({"workspaces"} | of_workspaces | parts)
    assert {table.name for table in archived_tables()} == ARCHIVED


class TestOrder:
    async def test_one_at_a_time(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        path = f"/workspaces/{workspace['id']}/archives"
        await order(owner, (await make_workspace(owner))["id"])
        first = await order(owner, workspace["id"])
        again = await owner.post(path)
        assert refusal(again) == (409, "ARCHIVE_UNDER_WAY")
        assert error_of(again)["details"] == {"archive_id": first["id"]}
        await work_off(app, database, MAKE_ARCHIVE)
        second = await order(owner, workspace["id"])
        listed = (await owner.get(path)).json()["items"]
        assert {each["id"]: each["status"] for each in listed} == {
            first["id"]: "completed",
            second["id"]: "queued",
        }

    async def test_it_says_until_when_it_is_kept(self, owner: Caller, workspace: dict[str, Any]) -> None:
        archive = await order(owner, workspace["id"])
        created, expires = (datetime.fromisoformat(archive[name]) for name in ("created_at", "expires_at"))
        assert expires - created == LIFETIME
        assert (archive["status"], archive["size"], archive["created_by"]) == ("queued", None, str(owner.id))


class TestContent:
    async def test_it_is_there_when_it_is_made(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        archive = await order(owner, workspace["id"])
        path = f"/archives/{archive['id']}/content"
        early = await owner.get(path)
        assert refusal(early) == (409, "ARCHIVE_NOT_READY")
        await work_off(app, database, MAKE_ARCHIVE)
        whole = await owner.get(path)
        made = (await owner.get(f"/archives/{archive['id']}")).json()
        assert whole.headers["ETag"] == f'"{made["sha256"]}"'
        assert whole.headers["Content-Type"] == "application/zip"
        part = await owner.request("GET", path, headers={"range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, b"PK\x03\x04")

    async def test_it_tells_of_members_and_of_nobody_else(
        self, app: FastAPI, database: Database, callers: Callers, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        member, stranger = await callers.member(workspace["id"]), await callers.user()
        content = await take_out(app, database, owner, workspace["id"])
        users = ZipFile(BytesIO(content)).read("users.jsonl").decode()
        assert [each.email in users for each in (owner, member, stranger)] == [True, True, False]
        assert PASSWORD_HASH.encode() not in content

    async def test_it_has_the_announcements_that_are_sent(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        sent = await make_announcement(owner, workspace)
        await work_off(app, database, SEND_ANNOUNCEMENT)
        await make_announcement(owner, workspace)
        content = await take_out(app, database, owner, workspace["id"])
        rows = ZipFile(BytesIO(content)).read("tables/announcements.jsonl").splitlines()
        assert [json.loads(row)["id"] for row in rows] == [sent["id"]]

    async def test_archives_leave_no_trace_in_the_next_one_but_between_other_changes(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        first = await take_out(app, database, owner, workspace["id"])
        assert await take_out(app, database, owner, workspace["id"]) == first
        await make_project(owner, workspace)
        last = await take_out(app, database, owner, workspace["id"])
        log = ZipFile(BytesIO(last)).read("tables/workspace_events.jsonl").decode().splitlines()
        kinds = [line.split('"type":"')[1].split('"')[0] for line in log]
        assert kinds == [
            *("workspace.created", "member.created", "archive.created", "archive.created"),
            "project.created",
        ]

    async def test_members_do_not_hear_of_it(
        self, callers: Callers, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        await order(owner, workspace["id"])
        path = f"/workspaces/{workspace['id']}/changes"
        seen = {}
        for role in (Role.MEMBER, Role.ADMIN):
            items = (await (await callers.member(workspace["id"], role)).get(path)).json()["items"]
            seen[role] = "archive.created" in {item["type"] for item in items}
        assert seen == {Role.MEMBER: False, Role.ADMIN: True}


class TestEnd:
    @pytest.mark.alone
    async def test_what_is_deleted_before_it_is_made_is_not_made(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any], left_over: Any
    ) -> None:
        archive = await order(owner, workspace["id"])
        assert (await owner.delete(f"/archives/{archive['id']}")).status_code == 204
        await work_off(app, database, MAKE_ARCHIVE)
        assert await left_over() == (0, 0)
        assert refusal(await owner.get(f"/archives/{archive['id']}")) == (404, "ARCHIVE_NOT_FOUND")

    @pytest.mark.alone
    @pytest.mark.parametrize("is_over", [False, True])
    async def test_it_expires(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        workspace: dict[str, Any],
        left_over: Any,
        is_over: bool,
    ) -> None:
        await take_out(app, database, owner, workspace["id"])
        days = LIFETIME if is_over else timedelta(days=1, hours=1)
        async with database.system_transaction() as session:
            for change in (
                "UPDATE archives SET expires_at = expires_at - CAST(:days AS interval)",
                "UPDATE stored_objects SET announced_at = announced_at - CAST(:days AS interval)",
            ):
                await session.execute(text(change), {"days": days + timedelta(seconds=1)})
        await PurgeService(database, 30).purge()
        await SweepService(database, app.state.storage).sweep()
        assert await left_over() == ((0, 0) if is_over else (1, 1))


class TestFailure:
    @pytest.mark.alone
    async def test_it_is_tried_again_and_given_up(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        archive = await order(owner, workspace["id"])
        async with database.reading() as session:
            (archive_id,) = await session.scalars(text("SELECT id FROM archives"))
        away = MakingService(database, Storage(None, Path("/dev/null/files")))
        states = []
        for attempt in (away.make, away.give_up):
            with suppress(ServiceUnavailableError):
                await attempt(archive_id)
            states.append((await owner.get(f"/archives/{archive['id']}")).json()["status"])
        assert states == ["running", "failed"]
        await MakingService(database, app.state.storage).make(archive_id)
        assert (await owner.get(f"/archives/{archive['id']}")).json()["status"] == "completed"

    @pytest.mark.alone
    async def test_a_file_that_is_lost_leaves_no_half_of_an_archive(
        self, app: FastAPI, database: Database, owner: Caller, project: dict[str, Any], left_over: Any
    ) -> None:
        await make_attachment(owner, await make_task(owner, project))
        async with database.reading() as session:
            lost = (await session.scalars(text("SELECT object_id FROM attachments"))).all()
        await app.state.storage.delete(lost)
        await order(owner, project["workspace_id"])
        with pytest.raises(ServiceUnavailableError):
            await work_off(app, database, MAKE_ARCHIVE)
        assert await left_over() == (0, 1)

    @pytest.mark.alone
    @pytest.mark.parametrize("content", [PDF[:-1], bytes(len(PDF))], ids=["cut off", "other bytes"])
    async def test_a_file_that_is_not_what_it_was_is_named(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        workspace: dict[str, Any],
        attachment: dict[str, Any],
        folder: Path,
        content: bytes,
    ) -> None:
        async with database.reading() as session:
            (object_id,) = await session.scalars(text("SELECT object_id FROM attachments"))
        (folder / key_of(object_id)).write_bytes(content)
        archive = await order(owner, workspace["id"])
        with pytest.raises(BrokenFileError, match=attachment["id"]):
            await work_off(app, database, MAKE_ARCHIVE)
        assert (await owner.get(f"/archives/{archive['id']}")).json()["status"] == "running"

    async def test_a_worker_that_stops_gives_it_back(
        self, committing_app: FastAPI, committing_callers: Callers, folder: Path
    ) -> None:
        database, before = committing_app.state.database, files_in(folder)
        owner = await committing_callers.user()
        project = await make_project(owner, await make_workspace(owner))
        await make_task(owner, project)
        await multiply_tasks(database, 2_000)
        archive = await order(owner, project["workspace_id"])
        making = MakingService(database, committing_app.state.storage)
        task = asyncio.create_task(making.make(UUID(archive["id"])))
        while (await owner.get(f"/archives/{archive['id']}")).json()["status"] != "running":
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert files_in(folder) == before
        await making.make(UUID(archive["id"]))
        assert (await owner.get(f"/archives/{archive['id']}")).json()["status"] == "completed"
