"""Archives as they come in: they may be broken, or none at all."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError as SchemaError
from sqlalchemy import Table

from glasswork.core import revisions
from glasswork.core.zips import BrokenZipError, ZipReader
from glasswork.features.archives.models import archived_columns, archived_tables, workspace_key
from glasswork.features.archives.schemas import MANIFEST, USERS, ArchivedUser, Manifest, table_entry

from .errors import NewerArchiveError, UnreadableArchiveError

LONGEST_LINE: Final = 16 << 20
LARGEST_MANIFEST: Final = 1 << 20
BATCH: Final = 200
BATCH_BYTES: Final = 1 << 20
"""A batch that has grown to it is full."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    """Of its line."""
    text: str
    fields: Mapping[str, Any]


class ArchiveReader:
    """An archive that may be broken, or no archive: what it yields has been looked at.

    Raises UnreadableArchiveError, NewerArchiveError, and BrokenZipError while it is read.
    """

    def __init__(self, file: ZipReader) -> None:
        self._file = file
        self.manifest = self._read_manifest()
        self.workspace_id = str(self.manifest.workspace.id)
        self.tables = [table for table in archived_tables() if table.name in self.manifest.tables]
        wanted = {MANIFEST, USERS, *map(table_entry, self.manifest.tables)}
        there = {name for name in file.sizes if not name.startswith("files/")}
        unknown = self.manifest.tables.keys() - {table.name for table in self.tables}
        for name in sorted(wanted ^ there | set(map(table_entry, unknown))):
            raise UnreadableArchiveError(f"{name}: is {'missing' if name not in there else 'not known'}")

    def users(self) -> Iterator[ArchivedUser]:
        count = 0
        for count, line in enumerate(self._file.lines(USERS, LONGEST_LINE), start=1):
            try:
                yield ArchivedUser.model_validate_json(line)
            except SchemaError as error:
                raise UnreadableArchiveError(f"{USERS}, line {count}: {_first_fault(error)}") from error
        _check_count(USERS, count, self.manifest.users)

    def rows(self, table: Table) -> Iterator[Row]:
        """All lines name the same columns."""
        entry, count, names = table_entry(table.name), 0, None
        known = {column.name for column in archived_columns(table)}
        key = workspace_key(table).name
        for count, line in enumerate(self._file.lines(entry, LONGEST_LINE), start=1):
            text, fields = _parsed(line, f"{entry}, line {count}")
            names = names or fields.keys()
            if fields.keys() != names or not names <= known:
                raise UnreadableArchiveError(f"{entry}, line {count}: has other columns")
            if fields.get(key) != self.workspace_id:
                raise UnreadableArchiveError(f"{entry}, line {count}: is of another workspace")
            yield Row(count, text, fields)
        _check_count(entry, count, self.manifest.tables[table.name])

    def file(self, entry: str, size: Any) -> Iterator[bytes]:
        if self._file.sizes.get(entry) != size:
            raise UnreadableArchiveError(f"{entry}: is missing, or not as long as its row says")
        return self._file.chunks(entry)

    def check_files(self, known: Mapping[str, object]) -> None:
        """Raise where there are others than these."""
        for name in self._file.sizes:
            if name.startswith("files/") and name not in known:
                raise UnreadableArchiveError(f"{name}: belongs to no attachment")

    def _read_manifest(self) -> Manifest:
        if MANIFEST not in self._file.sizes:
            raise UnreadableArchiveError(f"{MANIFEST}: is missing")
        try:
            manifest = Manifest.model_validate_json(self._file.read(MANIFEST, LARGEST_MANIFEST))
        except SchemaError as error:
            raise UnreadableArchiveError(f"{MANIFEST}: {_first_fault(error)}") from error
        if manifest.tables.get("workspaces") != 1:
            raise UnreadableArchiveError(f"{MANIFEST}: tells of no workspace")
        if revisions.is_newer(manifest.revision):
            raise NewerArchiveError(manifest.revision, revisions.head())
        return manifest


@contextmanager
def unpacking(path: Path) -> Iterator[ArchiveReader]:
    """Raise UnreadableArchiveError for whatever is wrong with the file while it is read."""
    try:
        file = ZipReader(path)
        try:
            yield ArchiveReader(file)
        finally:
            file.close()
    except BrokenZipError as error:
        raise UnreadableArchiveError(str(error)) from error


def batches(items: Iterable[Item], size_of: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Yield lists of some items each, none of them empty."""
    batch: list[Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += size_of(item)
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _parsed(line: bytes, place: str) -> tuple[str, Mapping[str, Any]]:
    try:
        text = line.decode()
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableArchiveError(f"{place}: is no JSON") from error
    if not isinstance(fields, dict):
        raise UnreadableArchiveError(f"{place}: is no JSON object")
    return text, fields


def _check_count(entry: str, count: int, wanted: int) -> None:
    if count != wanted:
        raise UnreadableArchiveError(f"{entry}: has {count} lines, and {MANIFEST} says {wanted}")


def _first_fault(error: SchemaError) -> str:
    """`workspace.slug: Field required`; never the content."""
    fault = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])
