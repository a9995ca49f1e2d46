from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core import receiving
from glasswork.core.db import Database
from glasswork.features.importing.jobs import RUN_IMPORT
from glasswork.features.imports import service
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.imports import load, make_import, send_file, shown
from tests.factories.tracker import make_project, make_workspace
from tests.factories.work import work_off

pytestmark = pytest.mark.anyio

GOOD = b"title\nOne\nTwo\n"


@pytest.fixture
async def import_(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_import(owner, workspace, project_key="OPS")


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestCreate:
    @pytest.mark.parametrize(
        ("fields", "loc"),
        [
            ({}, ["body", "project_id"]),
            ({"project_key": "ops"}, ["body", "csv", "project_key"]),
            ({"project_key": "OPS", "on_error": "cry"}, ["body", "csv", "on_error"]),
            ({"format": "excel"}, ["body"]),
            ({"format": "github_archive", "options": {}}, ["body", "github_archive", "options"]),
            (
                {"project_key": "OPS", "options": {"mapping": {"titel": "a", "title": "b"}}},
                ["body", "csv", "options", "mapping", "titel"],
            ),
            (
                {"project_key": "OPS", "options": {"time_zone": "Mars"}},
                ["body", "csv", "options", "time_zone"],
            ),
        ],
    )
    async def test_refuses_what_it_cannot_do(
        self, owner: Caller, workspace: dict[str, Any], fields: dict[str, Any], loc: list[str]
    ) -> None:
        path = f"/workspaces/{workspace['id']}/imports"
        answer = await owner.post(path, {"format": "csv"} | fields)
        assert code_of(answer) == (422, "VALIDATION_ERROR")
        assert [error["loc"] for error in answer.json()["error"]["details"]["errors"]] == [loc]
        assert (await owner.get(path)).json()["items"] == []

    async def test_refuses_the_project_of_another_workspace_and_two_projects(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        elsewhere = await make_project(owner, await make_workspace(owner))
        path = f"/workspaces/{workspace['id']}/imports"
        refused = await owner.post(path, {"format": "csv", "project_id": elsewhere["id"]})
        assert refused.json()["error"]["details"]["errors"][0]["code"] == "unknown_project"
        both = {"format": "csv", "project_id": project["id"], "project_key": "OPS"}
        assert (await owner.post(path, both)).json()["error"]["details"]["errors"][0]["code"] == "one_project"
        assert (await owner.post(path, {"format": "csv", "project_id": project["id"]})).status_code == 201

    async def test_is_for_members_and_shown_to_viewers_too(
        self, callers: Callers, workspace: dict[str, Any], import_: dict[str, Any]
    ) -> None:
        viewer, member = [await callers.member(workspace["id"], role) for role in (Role.VIEWER, Role.MEMBER)]
        path, body = f"/workspaces/{workspace['id']}/imports", {"format": "csv", "project_key": "OPS"}
        assert code_of(await viewer.post(path, body)) == (403, "PERMISSION_DENIED")
        assert (await member.post(path, body)).status_code == 201
        for where in (path, f"/imports/{import_['id']}", f"/imports/{import_['id']}/faults"):
            assert (await viewer.get(where)).status_code == 200
            assert (await (await callers.user()).get(where)).status_code == 404

    async def test_there_is_room_for_so_many(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        workspace: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(service, "MOST_OPEN", 1)
        await load(app, database, owner, workspace, GOOD, project_key="OPS")
        await make_import(owner, workspace, project_key="OPS")
        path = f"/workspaces/{workspace['id']}/imports"
        refused = await owner.post(path, {"format": "csv", "project_key": "OPS"})
        assert code_of(refused) == (409, "TOO_MANY_IMPORTS")


class TestFile:
    @pytest.mark.alone
    async def test_is_taken_once_and_is_let_go_when_it_has_served(
        self,
        app: FastAPI,
        database: Database,
        owner: Caller,
        import_: dict[str, Any],
        left_over: Callable[[], Awaitable[tuple[int, int]]],
    ) -> None:
        sent = await send_file(owner, import_, GOOD)
        assert sent == sent | {"status": "queued", "size": len(GOOD), "version": 2}
        again = await owner.request("PUT", f"/imports/{import_['id']}/file", content=GOOD)
        assert code_of(again) == (409, "IMPORT_UNDER_WAY")
        assert await left_over() == (1, 1)
        await work_off(app, database, RUN_IMPORT)
        ended = await shown(owner, import_)
        assert ended == ended | {"status": "completed", "tasks": 2, "size": len(GOOD)}
        async with database.reading() as session:
            kept = await session.scalar(text("SELECT count(object_id) FROM imports"))
        assert kept == 0

    @pytest.mark.alone
    async def test_that_stops_coming_leaves_nothing(
        self,
        owner: Caller,
        import_: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        left_over: Callable[[], Awaitable[tuple[int, int]]],
    ) -> None:
        monkeypatch.setattr(receiving, "UPLOAD_SECONDS", 0)
        answer = await owner.request("PUT", f"/imports/{import_['id']}/file", content=GOOD)
        assert code_of(answer) == (408, "REQUEST_TIMEOUT")
        assert await left_over() == (0, 0)
        assert (await shown(owner, import_))["status"] == "awaiting_file"

    async def test_is_for_who_has_made_it_and_admins(
        self, callers: Callers, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        maker, member = [await callers.member(workspace["id"]) for _ in range(2)]
        import_ = await make_import(maker, workspace, project_key="OPS")
        path = f"/imports/{import_['id']}"
        assert code_of(await member.request("PUT", f"{path}/file", content=GOOD))[0] == 403
        await send_file(maker, import_, GOOD)
        assert code_of(await member.delete(path))[0] == 403
        assert (await owner.delete(path)).status_code == 204


class TestStart:
    async def test_is_for_what_has_a_file_and_is_not_under_way_or_done(
        self, app: FastAPI, database: Database, owner: Caller, import_: dict[str, Any]
    ) -> None:
        path = f"/imports/{import_['id']}/start"
        assert code_of(await owner.post(path, {})) == (409, "NO_FILE")
        await send_file(owner, import_, b"summary\nOne\n")
        assert code_of(await owner.post(path, {})) == (409, "IMPORT_UNDER_WAY")
        await work_off(app, database, RUN_IMPORT)
        failed = await shown(owner, import_)
        assert (failed["status"], failed["error_code"]) == ("failed", "UNKNOWN_COLUMNS")
        assert failed["error"] == "The file has no column title; it has summary."
        started = (await owner.post(path, {"dry_run": True})).json()
        assert started == started | {"status": "queued", "error": None, "dry_run": True, "ended_at": None}


class TestList:
    async def test_shows_the_newest_first(
        self, owner: Caller, workspace: dict[str, Any], import_: dict[str, Any]
    ) -> None:
        other = await make_import(owner, workspace, format="github_archive")
        items = (await owner.get(f"/workspaces/{workspace['id']}/imports")).json()["items"]
        assert [item["id"] for item in items] == [other["id"], import_["id"]]


class TestDelete:
    async def test_refuses_a_stale_version(self, owner: Caller, import_: dict[str, Any]) -> None:
        await send_file(owner, import_, GOOD)
        stale = await owner.delete(f"/imports/{import_['id']}", if_match='"1"')
        assert code_of(stale) == (412, "STALE_VERSION")
        assert (await owner.delete(f"/imports/{import_['id']}", if_match='"2"')).status_code == 204
        assert code_of(await owner.get(f"/imports/{import_['id']}")) == (404, "IMPORT_NOT_FOUND")
