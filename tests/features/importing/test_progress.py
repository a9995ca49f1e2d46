"""The import as it moves on, told as it does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from glasswork.features.importing import service
from glasswork.features.realtime.service import Hub
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.imports import make_import, make_importer, send_file
from tests.streams import Events

pytestmark = pytest.mark.anyio


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    return committing_callers


@pytest.fixture
async def import_(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    made = await make_import(owner, workspace, project_key="OPS")
    return await send_file(owner, made, b"title\n" + b"Row\n" * 3)


@asynccontextmanager
async def progress_of(url: str, caller: Caller, import_: dict[str, Any]) -> AsyncIterator[Events]:
    headers = {"Authorization": f"Bearer {caller.token}"}
    path = f"{url}/api/v1/imports/{import_['id']}/events"
    async with httpx2.AsyncClient() as client, client.stream("GET", path, headers=headers) as response:
        yield Events(response)


async def test_strangers_see_none(
    url: str, callers: Callers, workspace: dict[str, Any], import_: dict[str, Any]
) -> None:
    viewer = await callers.member(workspace["id"], Role.VIEWER)
    for caller, status in ((await callers.user(), 404), (viewer, 200)):
        async with progress_of(url, caller, import_) as events:
            assert events.response.status_code == status


async def test_moves_until_it_ends(
    url: str, committing_app: FastAPI, owner: Caller, import_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH", 1)
    monkeypatch.setattr(service, "LOOK_SECONDS", 0.01)
    importer = make_importer(committing_app, committing_app.state.database)
    async with progress_of(url, owner, import_) as events:
        first = await events.next()
        assert (first.type, first.data["status"], first.data["done"]) == ("progress", "queued", 0)
        for done in (1, 2):
            assert await importer.advance(UUID(import_["id"]), 0)
            while (told := await events.next()).data["done"] < done:
                assert told.data["status"] == "storing"
            assert (told.data["done"], told.id) == (done, told.data["version"])
        assert not await importer.advance(UUID(import_["id"]), 0)
        last = (await events.rest())[-1]
        assert last.data == last.data | {"status": "completed", "done": 3, "total": 3, "tasks": 3}


async def test_ends_with_the_membership_the_import_and_the_server(
    url: str,
    hub: Hub,
    callers: Callers,
    owner: Caller,
    workspace: dict[str, Any],
    import_: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "LOOK_SECONDS", 0.01)
    member = await callers.member(workspace["id"])
    async with progress_of(url, member, import_) as events:
        await events.next()
        await owner.delete(f"/workspaces/{workspace['id']}/members/{member.id}")
        assert await events.rest() == []
    async with progress_of(url, owner, import_) as events:
        await events.next()
        await owner.delete(f"/imports/{import_['id']}")
        assert await events.rest() == []
    assert hub.streams == 0
