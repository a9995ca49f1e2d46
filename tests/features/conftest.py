from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.realtime.service import Hub
from tests.factories.callers import Caller, Callers
from tests.factories.files import make_attachment
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.streams import serving


@pytest.fixture
async def owner(callers: Callers) -> Caller:
    return await callers.user()


@pytest.fixture
async def workspace(owner: Caller) -> dict[str, Any]:
    return await make_workspace(owner)


@pytest.fixture
async def project(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_project(owner, workspace, key="OPS")


@pytest.fixture
async def task(owner: Caller, project: dict[str, Any]) -> dict[str, Any]:
    return await make_task(owner, project)


@pytest.fixture
def limited(change_settings: Callable[..., None]) -> None:
    change_settings(rate_limit_enabled=True)


@pytest.fixture
async def attachment(owner: Caller, task: dict[str, Any]) -> dict[str, Any]:
    return await make_attachment(owner, task)


@pytest.fixture
def folder(app: FastAPI) -> Path:
    """Where the files lie."""
    folder: Path = app.state.storage.folder
    return folder


def files_in(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


@pytest.fixture
def left_over(folder: Path, database: Database) -> Callable[[], Awaitable[tuple[int, int]]]:
    """Tells how many files and entries of the ledger there are more than when the test began."""

    async def count() -> tuple[int, int]:
        async with database.reading() as session:
            entries: int = (await session.execute(text("SELECT count(*) FROM stored_objects"))).scalar_one()
        return files_in(folder), entries

    before = files_in(folder)

    async def left_over() -> tuple[int, int]:
        files, entries = await count()
        return files - before, entries

    return left_over


@pytest.fixture
async def url(committing_app: FastAPI) -> AsyncIterator[str]:
    """Of the app on a real socket: the client of the tests cannot read a stream."""
    async with serving(committing_app) as url:
        yield url


@pytest.fixture
def hub(committing_app: FastAPI) -> Hub:
    hub: Hub = committing_app.state.hub
    return hub
