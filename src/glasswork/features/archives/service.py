import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core import revisions
from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database
from glasswork.core.errors import OutcomeUnknownError, require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.receiving import discard
from glasswork.core.statements import AnyRow
from glasswork.core.storage import Storage, announce
from glasswork.core.zips import write_zip
from glasswork.features.workspaces.access import role_in

from . import policy
from .errors import ArchiveNotReadyError, ArchiveUnderWayError, BrokenFileError
from .events import ArchiveCreated, ArchiveDeleted
from .models import Archive, ArchiveStatus, archived_tables
from .repository import ArchiveRepository, ContentRepository
from .schemas import (
    MANIFEST,
    USERS,
    ArchiveQuery,
    Manifest,
    Source,
    file_entry,
    table_entry,
    thumbnail_entry,
)

Entry = tuple[str, AsyncIterator[bytes]]


class ArchiveService:
    """Files with all that there is in a workspace."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._archives = ArchiveRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, workspace_id: UUID) -> Archive:
        """Order one, of how things are when it is made."""
        require(policy.can_archive(await self._archives.lock_workspace(actor, workspace_id)))
        under_way = await self._archives.find_under_way(workspace_id)
        if under_way is not None:
            raise ArchiveUnderWayError(under_way)
        archive = Archive(workspace_id=workspace_id, created_by=actor.user_id)
        await self._archives.add(archive)
        self._outbox.record(actor, ArchiveCreated.of(archive))
        return archive

    async def page(self, actor: Actor, workspace_id: UUID, query: ArchiveQuery) -> Page[AnyRow]:
        require(policy.can_archive(await role_in(self._session, actor, workspace_id)))
        return await self._archives.page(actor, workspace_id, query)

    async def get(self, actor: Actor, archive_id: UUID) -> AnyRow:
        archive = await self._archives.get(actor, archive_id)
        require(policy.can_archive(archive.role))
        return archive

    async def get_content(self, actor: Actor, archive_id: UUID) -> AnyRow:
        archive = await self.get(actor, archive_id)
        if archive.status is not ArchiveStatus.COMPLETED:
            raise ArchiveNotReadyError(archive.status)
        return archive

    async def delete(self, actor: Actor, archive_id: UUID, precondition: Precondition) -> None:
        """The bytes go later, when nothing refers to them; one that is being made comes to nothing."""
        archive, role = await self._archives.lock(actor, archive_id)
        require(policy.can_archive(role))
        precondition.check(archive)
        self._outbox.record(actor, ArchiveDeleted.of(archive))
        await self._archives.delete(archive)


@dataclass(slots=True)
class _Measured:
    """What has gone by."""

    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    async def pass_on(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for chunk in chunks:
            self.size += len(chunk)
            self.digest.update(chunk)
            yield chunk


class _ReadElsewhere:
    """The store reads in tasks of its own, which go on when ours is cancelled: the end waits for them."""

    def __init__(self, chunks: AsyncGenerator[bytes, None]) -> None:
        self._chunks = chunks
        self._lock = asyncio.Lock()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        async with self._lock:
            return await anext(self._chunks)

    async def aclose(self) -> None:
        async with self._lock:
            await self._chunks.aclose()


class MakingService:
    """Makes the file that was ordered: a transaction before the bytes, and one behind them."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    async def make(self, archive_id: UUID) -> None:
        begun = await self._begin(archive_id)
        if begun is None:
            return
        workspace_id, object_id = begun
        measured = _Measured()
        try:
            async with (
                aclosing(self._entries(workspace_id)) as entries,
                aclosing(_ReadElsewhere(measured.pass_on(write_zip(entries)))) as content,
            ):
                await self._storage.put(object_id, content)
            is_kept = await self._complete(archive_id, object_id, measured)
        except OutcomeUnknownError:
            raise  # perhaps it is there now
        except BaseException:
            await asyncio.shield(discard(self._database, self._storage, [object_id]))
            raise
        if not is_kept:
            await discard(self._database, self._storage, [object_id])

    async def give_up(self, archive_id: UUID) -> None:
        async with self._database.system_transaction() as session:
            archive = await ArchiveRepository(session).find_locked(archive_id)
            if archive is not None and archive.status is not ArchiveStatus.COMPLETED:
                archive.change({"status": ArchiveStatus.FAILED})

    async def _begin(self, archive_id: UUID) -> tuple[UUID, UUID] | None:
        """Return the ids of the workspace and of the object; None: there is nothing to do."""
        async with self._database.system_transaction() as session:
            archive = await ArchiveRepository(session).find_locked(archive_id)
            if archive is None or archive.status is ArchiveStatus.COMPLETED:
                return None
            archive.change({"status": ArchiveStatus.RUNNING})
            return archive.workspace_id, await announce(session)

    async def _complete(self, archive_id: UUID, object_id: UUID, measured: _Measured) -> bool:
        async with self._database.system_transaction() as session:
            archive = await ArchiveRepository(session).find_locked(archive_id)
            if archive is None or archive.status is ArchiveStatus.COMPLETED:
                return False
            archive.complete(object_id, measured.size, measured.digest.hexdigest())
            return True

    async def _entries(self, workspace_id: UUID) -> AsyncGenerator[Entry, None]:
        """The rows are of one moment; the bytes of files never change, and are read behind it.

        Who deletes a file meanwhile may take its bytes away: then this fails, and the next attempt knows.
        """
        counts: dict[str, int] = {}
        async with self._database.snapshot() as session:
            content = ContentRepository(session, workspace_id)
            slug = await content.slug()
            yield USERS, _lines(content.users(), counts, USERS)
            for table in archived_tables():
                yield table_entry(table.name), _lines(content.rows(table), counts, table.name)
            files = [file async for file in content.files()]
        for file in files:
            content_of = await self._storage.open(file.object_id, 0, file.size)
            yield file_entry(file.id), _whole(content_of, file.id, file.size, file.sha256)
            if file.thumbnail_id is not None:
                content_of = await self._storage.open(file.thumbnail_id, 0, file.thumbnail_size)
                yield thumbnail_entry(file.id), _whole(content_of, file.id, file.thumbnail_size)
        manifest = Manifest(
            revision=revisions.head() or "",
            workspace=Source(id=workspace_id, slug=slug),
            users=counts.pop(USERS),
            tables=counts,
            files=len(files),
        )
        yield MANIFEST, _at_once([json.dumps(manifest.model_dump(mode="json"), indent=2).encode(), b"\n"])


async def _lines(batches: AsyncIterator[Any], counts: dict[str, int], name: str) -> AsyncIterator[bytes]:
    counts[name] = 0
    async for batch in batches:
        counts[name] += len(batch)
        yield "".join(f"{row}\n" for row in batch).encode()


async def _whole(
    chunks: AsyncIterator[bytes], attachment_id: UUID, size: int, sha256: str | None = None
) -> AsyncIterator[bytes]:
    """Raise BrokenFileError at the end: better no archive than one that nobody can load."""
    measured = _Measured()
    async for chunk in measured.pass_on(chunks):
        yield chunk
    if measured.size != size or sha256 not in {None, measured.digest.hexdigest()}:
        raise BrokenFileError(attachment_id)


async def _at_once(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
