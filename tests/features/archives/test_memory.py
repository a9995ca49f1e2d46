import shutil
import tracemalloc
from pathlib import Path

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.archives.jobs import MAKE_ARCHIVE
from tests.factories.callers import Caller
from tests.factories.tracker import multiply_tasks
from tests.factories.work import work_off

from .moving import bring_in, order

pytestmark = [pytest.mark.anyio, pytest.mark.long, pytest.mark.alone]

TASKS = 40_000
MOST = 20 << 20
"""Bytes: of the store two parts on their way, of 8 MiB each."""


async def test_it_does_not_grow_with_the_workspace(
    app: FastAPI,
    database: Database,
    owner: Caller,
    task: dict[str, str],
    committing_app: FastAPI,
    folder: Path,
    tmp_path: Path,
) -> None:
    await multiply_tasks(database, TASKS - 1)
    there = {path for path in folder.rglob("*") if path.is_file()}  # noqa: ASYNC240
    archive = await order(owner, task["workspace_id"])
    tracemalloc.start()
    await work_off(app, database, MAKE_ARCHIVE)
    _, out = tracemalloc.get_traced_memory()
    (made,) = {path for path in folder.rglob("*") if path.is_file()} - there  # noqa: ASYNC240
    size = (await owner.get(f"/archives/{archive['id']}")).json()["size"]
    path = tmp_path / "archive.zip"
    shutil.copy(made, path)
    tracemalloc.reset_peak()
    report = await bring_in(committing_app, path)
    _, in_ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.rows["tasks"] == TASKS
    assert max(out, in_) < MOST < size, (out, in_, size)
