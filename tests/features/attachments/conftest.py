from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from tests.conftest import UPLOAD_LIMIT
from tests.factories.callers import Caller
from tests.factories.files import make_attachment


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


@pytest.fixture(scope="session")
def upload_limit() -> int:
    """Bytes that a file may have in the shared app."""
    return UPLOAD_LIMIT
