"""A folder, and a bucket of a program that speaks S3."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from glasswork.core.errors import InsufficientStorageError, ServiceUnavailableError
from glasswork.core.storage import Storage, key_of, open_storage
from tests.disks import small_disk
from tests.streams import until

pytestmark = pytest.mark.anyio

MEGABYTE = 2**20


class Broken(Exception):  # noqa: N818 (whatever a sender raises)
    pass


async def parts(number: int, size: int = MEGABYTE, *, breaks: bool = False) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield bytes(size)
    if breaks:
        raise Broken


async def read(storage: Storage, object_id: UUID, start: int, end: int) -> bytes:
    return b"".join([chunk async for chunk in await storage.open(object_id, start, end)])


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(None, tmp_path)


@pytest.fixture
def object_id() -> UUID:
    return uuid7()


class TestFolder:
    async def test_what_breaks_off_leaves_nothing(self, storage: Storage, object_id: UUID) -> None:
        with pytest.raises(Broken):
            await storage.put(object_id, parts(20, breaks=True))
        assert storage.folder
        assert files(storage.folder) == []

    async def test_what_is_put_is_there(self, storage: Storage, object_id: UUID) -> None:
        await storage.put(object_id, parts(20))
        assert storage.folder
        assert files(storage.folder) == [storage.folder / key_of(object_id)]
        assert await read(storage, object_id, 0, 20 * MEGABYTE) == bytes(20 * MEGABYTE)
        assert await read(storage, object_id, 5, 9) == bytes(4)
        assert await read(storage, object_id, 0, 0) == b""

    async def test_what_is_not_there_cannot_be_reached(self, storage: Storage, object_id: UUID) -> None:
        with pytest.raises(ServiceUnavailableError):
            await storage.open(object_id, 0, 1)

    async def test_what_is_deleted_twice_is_deleted(self, storage: Storage, object_id: UUID) -> None:
        await storage.put(object_id, parts(1))
        for _ in range(2):
            await storage.delete([object_id])
        assert storage.folder
        assert files(storage.folder) == []

    async def test_it_may_be_named(self, tmp_path: Path, object_id: UUID) -> None:
        folder = tmp_path / "with space"
        await open_storage(f"{folder.as_uri()}", tmp_path).put(object_id, parts(1))
        assert files(folder) == [folder / key_of(object_id)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    with small_disk(folder, 4):
        yield folder


async def test_a_full_disk_is_told_and_left_as_it_was(disk: Path, object_id: UUID) -> None:
    storage = open_storage(disk.as_uri(), disk)
    with pytest.raises(InsufficientStorageError):
        await storage.put(object_id, parts(20))
    assert files(disk) == []
    # A thread of the library's may still hold what was removed.
    await until(lambda: shutil.disk_usage(disk).used < MEGABYTE)
    await storage.put(object_id, parts(2))
    assert await read(storage, object_id, 0, 2 * MEGABYTE) == bytes(2 * MEGABYTE)
