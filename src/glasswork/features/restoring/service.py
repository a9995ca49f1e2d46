import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.db import Database
from glasswork.core.errors import OutcomeUnknownError
from glasswork.core.outbox import Outbox
from glasswork.core.receiving import discard
from glasswork.core.storage import Storage, announce
from glasswork.features.accounts.events import UserCreated
from glasswork.features.archives.events import ArchiveImported
from glasswork.features.archives.schemas import (
    ArchiveImport,
    Manifest,
    file_entry,
    table_entry,
    thumbnail_entry,
)
from glasswork.features.unpacking.errors import UnreadableArchiveError
from glasswork.features.unpacking.service import ArchiveReader, Row, batches, unpacking

from .errors import SlugInUseError, WorkspaceThereError
from .repository import Line, RestoreRepository
from .schemas import RestoreReport

FILES: Final = "attachments"
"""The table whose rows have files."""
PLACES: Final = ("object_id", "thumbnail_id")
"""Where their bytes lie here."""
LONGEST_USERNAME: Final = 20

_READ_BYTES = 1 << 20
_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")

OnProgress = Callable[[int, int], None]
"""Hears how much is done, and of how much."""


@dataclass(slots=True)
class _Progress:
    tell: OnProgress
    total: int
    done: int = 0

    def add(self, number: int) -> None:
        self.done += number
        self.tell(self.done, self.total)


@dataclass(slots=True)
class _People:
    """Whom the users of the archive are here."""

    ids: dict[str, str] = field(default_factory=dict)
    """Of those who have another id here."""
    matched: int = 0
    created: int = 0
    renamed: list[str] = field(default_factory=list)

    def put_into(self, text: str) -> str:
        return _UUID.sub(lambda found: self.ids.get(found[0], found[0]), text) if self.ids else text


class RestoreService:
    """Loads a workspace as it was elsewhere; ids and authors are what the archive says.

    Files come first, so that a crash leaves only what is swept away; all rows are one transaction.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    async def restore(self, path: Path, on_progress: OnProgress) -> RestoreReport:
        with unpacking(path) as archive:
            return await self._restore(archive, _digest_of(path), on_progress)

    async def _restore(self, archive: ArchiveReader, sha256: str, on_progress: OnProgress) -> RestoreReport:
        manifest = archive.manifest
        if not await self._is_new(manifest, sha256):
            return RestoreReport(manifest.workspace.slug, False, {}, 0)
        progress = _Progress(on_progress, sum(manifest.tables.values()) + manifest.files)
        objects: dict[str, UUID] = {}
        try:
            await self._store_files(archive, objects, progress)
            async with self._database.system_transaction() as session:
                await RestoreRepository(session).be_patient()
                people = await self._add_users(session, archive)
                await self._add_rows(session, archive, people, objects, progress)
                Outbox(session).record(None, ArchiveImported.of(_told(manifest, sha256, people)))
        except OutcomeUnknownError:
            raise  # perhaps something refers to them now
        except BaseException:
            await asyncio.shield(discard(self._database, self._storage, objects.values()))
            raise
        return RestoreReport(
            slug=manifest.workspace.slug,
            is_new=True,
            rows=manifest.tables,
            files=manifest.files,
            users_matched=people.matched,
            users_created=people.created,
            renamed=tuple(people.renamed),
        )

    async def _is_new(self, manifest: Manifest, sha256: str) -> bool:
        """Raise where something else stands in its place."""
        id_, slug = manifest.workspace.id, manifest.workspace.slug
        async with self._database.reading() as session:
            there = RestoreRepository(session)
            workspace = await there.find_workspace(id_)
            if workspace is not None:
                is_deleted = workspace.deleted_at is not None
                if is_deleted or not await there.has_come(id_, sha256):
                    raise WorkspaceThereError(id_, is_deleted=is_deleted)
                return False
            if await there.is_slug_taken(slug):
                raise SlugInUseError(slug)
        return True

    async def _store_files(
        self, archive: ArchiveReader, objects: dict[str, UUID], progress: _Progress
    ) -> None:
        """Note in `objects`, before it is written, under which id each file lies."""
        for table in archive.tables:
            if table.name != FILES:
                continue
            for row in archive.rows(table):
                fields = row.fields
                name = file_entry(fields.get("id"))
                digest = await self._store(archive, objects, name, fields.get("size"))
                if digest != fields.get("sha256"):
                    raise UnreadableArchiveError(
                        f"{name}: has another SHA-256 than {table_entry(FILES)} says"
                    )
                if fields.get("thumbnail_size") is not None:
                    thumbnail = thumbnail_entry(fields["id"])
                    await self._store(archive, objects, thumbnail, fields["thumbnail_size"])
                progress.add(1)
        archive.check_files(objects)

    async def _store(self, archive: ArchiveReader, objects: dict[str, UUID], name: str, size: Any) -> str:
        """Return the SHA-256."""
        chunks, digest = archive.file(name, size), hashlib.sha256()

        async def measured() -> AsyncIterator[bytes]:
            for chunk in chunks:
                digest.update(chunk)
                yield chunk

        async with self._database.transaction() as session:
            objects[name] = await announce(session)
        await self._storage.put(objects[name], measured())
        return digest.hexdigest()

    async def _add_users(self, session: AsyncSession, archive: ArchiveReader) -> _People:
        here, outbox, people = RestoreRepository(session), Outbox(session), _People()
        for users in batches(archive.users(), lambda _: 1):
            found = await here.find_users(users)
            ids, by_email = {row.id for row in found}, {row.email: row.id for row in found}
            for user in users:
                same = user.id if user.id in ids else by_email.get(user.email.lower())
                if same is None:
                    username = await _free_username(here, user.username)
                    outbox.record(None, UserCreated.of(await here.add_user(user, username)))
                    people.created += 1
                    people.renamed += [username] if username != user.username else []
                    continue
                people.matched += 1
                if same != user.id:
                    people.ids[str(user.id)] = str(same)
        return people

    async def _add_rows(
        self,
        session: AsyncSession,
        archive: ArchiveReader,
        people: _People,
        objects: Mapping[str, UUID],
        progress: _Progress,
    ) -> None:
        """What refers to rows of the same table is left out at first: they may come behind it."""
        here = RestoreRepository(session)
        for table in archive.tables:
            entry, own = table_entry(table.name), _own_references(table)
            for rows in batches(archive.rows(table), lambda row: len(row.text)):
                lines = [_line(row, table, people, objects) for row in rows]
                placed = PLACES if table.name == FILES else ()
                await here.load(table, {*rows[0].fields, *placed}.difference(own), entry, lines)
                progress.add(len(rows))
            for name in own:
                linked = (row for row in archive.rows(table) if row.fields.get(name) is not None)
                for rows in batches(linked, lambda row: len(row.text)):
                    lines = [(row.number, people.put_into(row.text)) for row in rows]
                    await here.link(table, name, entry, lines)
        await here.count_events(archive.manifest.workspace.id)


async def _free_username(here: RestoreRepository, wanted: str) -> str:
    username, number = wanted, 1
    while await here.is_username_taken(username):
        number += 1
        suffix = f"_{number}"
        username = f"{wanted[: LONGEST_USERNAME - len(suffix)]}{suffix}"
    return username


def _line(row: Row, table: Table, people: _People, objects: Mapping[str, UUID]) -> Line:
    text = people.put_into(row.text)
    if table.name == FILES:
        id_ = row.fields["id"]
        ids = (objects[file_entry(id_)], objects.get(thumbnail_entry(id_)))
        places = dict(zip(PLACES, (id_ and str(id_) for id_ in ids), strict=True))
        text = f"{text.rstrip()[:-1]},{json.dumps(places)[1:]}"
    return row.number, text


def _own_references(table: Table) -> Sequence[str]:
    """Return the columns by which a row refers to another of its table."""
    return [
        name
        for key in table.foreign_key_constraints
        if key.referred_table is table
        for name in key.column_keys
        if name != "workspace_id"
    ]


def _told(manifest: Manifest, sha256: str, people: _People) -> ArchiveImport:
    return ArchiveImport(
        workspace_id=manifest.workspace.id,
        slug=manifest.workspace.slug,
        sha256=sha256,
        users_matched=people.matched,
        users_created=people.created,
    )


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
