"""A disk runs full: that of the files, and that of the database."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.data_dirs import used_data_dir
from tests.disks import filled, small_disk

from .cells import Cells
from .effects import Import
from .journeys import Create, Download, Health, Read, Search, Upload
from .meeting import everybody, meet, refused, tell
from .stage import Stage, open_stage

pytestmark = [pytest.mark.anyio, pytest.mark.grid, pytest.mark.timeout(300)]

FILES, DATABASE = 4, 150
"""Megabytes."""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Its files have a disk of their own, and so has its database."""
    with used_data_dir() as data_dir, ExitStack() as disks:
        files, database, large = (data_dir / name for name in ("files", "postgres", "large"))
        files.mkdir()
        disks.enter_context(small_disk(files, FILES))
        database.rename(large)
        database.mkdir()
        disks.enter_context(small_disk(database, DATABASE))
        subprocess.run(["cp", "-a", f"{large}/.", database], check=True)
        yield data_dir


@pytest.fixture
async def small(data_dir: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(data_dir, tmp_path) as stage:
        await stage.start_api()
        stage.start_worker()
        yield stage


@asynccontextmanager
async def full(folder: Path) -> AsyncIterator[None]:
    with filled(folder):
        yield


@pytest.mark.fault("F15")
async def test_that_of_the_files_is_full(small: Stage, cells: Cells) -> None:
    async with everybody(small) as journeys:
        trails = await meet(journeys, full(small.files), 4)
        assert refused(trails, 507) == {Upload.name, Import.name}
        await tell(cells, trails, of={Upload: {507}, Import: {507}})
        assert [path for path in small.files.rglob("*#*") if path.is_file()] == []


@pytest.mark.fault("F15")
async def test_that_of_the_database_is_full(small: Stage, cells: Cells) -> None:
    async with everybody(small) as journeys:
        trails = await meet(journeys, full(small.data_dir / "postgres"), 8)
        assert refused(trails, 503) >= {Create.name}
        await tell(cells, trails, {503}, of=dict.fromkeys((Read, Search, Download, Health), ()))
