"""Where the bytes of files lie: a folder, or a bucket; and the ledger of what lies there.

An object is entered into the ledger before its first byte is written, and belongs to whatever row refers to
it. So what a crash, or the end of that row, leaves behind is found without asking the store for a list.
"""

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import UUID

import obstore
from anyio import to_thread
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url
from sqlalchemy import Column, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from glasswork.core.errors import InsufficientStorageError, ServiceUnavailableError
from glasswork.core.models import Base

GRACE = timedelta(days=1)
"""An object that nothing refers to may be on its way in for so long."""
STALL_SECONDS = 30
"""In which the store has to take, or to give, the next bytes."""

_PART_BYTES = 8 << 20  # S3 wants parts of 5 MiB at least, and at most 10,000 of them
_READ_BYTES = 256 << 10
# Plain HTTP only where the operator has named such an address, as in AWS_ENDPOINT_URL.
_CLIENT = {"connect_timeout": "5s", "allow_http": True}
_LONGEST_READ = "6h"
_RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class StoredObject(Base):
    __tablename__ = "stored_objects"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    announced_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


def key_of(object_id: UUID) -> str:
    """Nothing that a caller has named; in folders, since some file systems bear only so many files in one."""
    name = object_id.hex
    return f"{name[-2:]}/{name}"


class Storage:
    """Reached when it is first needed: a server whose files are away answers everything else."""

    def __init__(self, url: str | None, folder: Path | None) -> None:
        self._url = url
        self.folder = folder
        """Of a local store."""

    @cached_property
    def _reads(self) -> Any:
        return self._connect(_LONGEST_READ)

    @cached_property
    def _writes(self) -> Any:
        return self._connect(f"{STALL_SECONDS}s")

    def _connect(self, timeout: str) -> Any:
        """`timeout` is that of one request: of a part on its way in, or of all that goes out."""
        if self.folder is not None:
            return LocalStore(self.folder, mkdir=True)
        client: Any = _CLIENT | {"timeout": timeout}
        return from_url(self._url or "", client_options=client, retry_config=_RETRIES)

    async def put(self, object_id: UUID, chunks: AsyncIterable[bytes]) -> None:
        """Store all of it, or nothing; what `chunks` raises comes through.

        Raises ServiceUnavailableError, and InsufficientStorageError where the disk is full.
        """
        key = key_of(object_id)
        with _translated():
            await obstore.put_async(
                self._writes, key, chunks, use_multipart=True, chunk_size=_PART_BYTES, max_concurrency=2
            )
            if self.folder is not None:
                await to_thread.run_sync(_make_durable, self.folder / key)

    async def open(self, object_id: UUID, start: int, end: int) -> AsyncIterator[bytes]:
        """Return the bytes from `start` up to, and without, `end`, which are read as they are taken."""
        if start == end:
            return _nothing()
        with _translated():
            async with asyncio.timeout(STALL_SECONDS):
                found = await obstore.get_async(
                    self._reads, key_of(object_id), options={"range": (start, end)}
                )
        return _read(found)

    async def has(self, object_id: UUID) -> bool:
        with _translated():
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    await obstore.head_async(self._reads, key_of(object_id))
            except FileNotFoundError:
                return False
        return True

    async def delete(self, object_ids: Collection[UUID]) -> None:
        """One that is not there is deleted already; with it goes what a crash left of it."""
        for object_id in object_ids:
            if self.folder is not None:
                await to_thread.run_sync(_delete_drafts, self.folder / key_of(object_id))
            with _translated(), suppress(FileNotFoundError):
                async with asyncio.timeout(STALL_SECONDS):
                    await obstore.delete_async(self._writes, key_of(object_id))


def open_storage(url: str | None, data_dir: Path) -> Storage:
    """`file:///folder`, or what obstore takes, such as `s3://bucket/prefix`; by default below the data."""
    if url is None or url.startswith("file:"):
        folder = Path(url2pathname(urlsplit(url).path)) if url else data_dir / "files"
        return Storage(None, folder)
    return Storage(url, None)


async def announce(session: AsyncSession) -> UUID:
    """Return the id of an object that will be written, for which this transaction must be committed first."""
    stored = StoredObject(id=uuid7())
    session.add(stored)
    await session.flush()
    return stored.id


async def find_needed(session: AsyncSession, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Return what something refers to, in the order of the ids."""
    statement = (
        select(StoredObject.id)
        .where(or_(*(exists().where(column == StoredObject.id) for column in _references())))
        .order_by(StoredObject.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(StoredObject.id > after)
    return (await session.scalars(statement)).all()


async def find_abandoned(session: AsyncSession, limit: int) -> Sequence[UUID]:
    """Nothing has referred to them for long enough that nothing will."""
    statement = (
        select(StoredObject.id)
        .where(
            StoredObject.announced_at < func.now() - GRACE,
            *(~exists().where(column == StoredObject.id) for column in _references()),
        )
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def forget(session: AsyncSession, object_ids: Collection[UUID]) -> None:
    await session.execute(delete(StoredObject).where(StoredObject.id.in_(object_ids)))


def _references() -> Iterator[Column[Any]]:
    for each in Base.metadata.tables.values():
        for key in each.foreign_keys:
            if key.column is StoredObject.__table__.c.id:
                yield key.parent


async def _nothing() -> AsyncIterator[bytes]:
    empty: tuple[bytes, ...] = ()
    for chunk in empty:
        yield chunk


async def _read(found: Any) -> AsyncIterator[bytes]:
    chunks = found.stream(min_chunk_size=_READ_BYTES).__aiter__()
    while True:
        with _translated():
            async with asyncio.timeout(STALL_SECONDS):
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
        yield chunk


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        # Its own class for a full disk obstore does not have, nor does it tell the number of the error.
        if "StorageFull" in str(error) or "QuotaExceeded" in str(error):
            raise InsufficientStorageError("There is no room for files.") from error
        raise ServiceUnavailableError("The files cannot be reached.") from error


def _delete_drafts(path: Path) -> None:
    """In which obstore collects what comes, until all of it is there."""
    for draft in path.parent.glob(f"{path.name}#*"):
        draft.unlink(missing_ok=True)


def _make_durable(path: Path) -> None:
    """A file that is in no cache alone, and neither is its name."""
    for each, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
        handle = os.open(each, flags)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
