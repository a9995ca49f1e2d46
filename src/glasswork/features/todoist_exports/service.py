import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Final

from glasswork.core.csv_records import Record
from glasswork.core.csv_records import read as read_records
from glasswork.core.foreign_zips import MAGIC, MOST_BYTES, ForeignZip, ZipTooLargeError
from glasswork.features.intake.policy import TASK_NOT_THERE
from glasswork.features.intake.schemas import (
    INVALID,
    CommentRecord,
    Fault,
    Item,
    Open,
    Position,
    Survey,
    TaskRecord,
    read,
)

from .errors import NoTodoistError
from .policy import COLUMNS, TYPES, Row, comment_of, indent_of, section_of, task_of
from .schemas import Place, TodoistOptions

_BOM: Final = b"\xef\xbb\xbf"
_HEADER_ROW: Final = 1
_SUFFIX: Final = re.compile(r" \[\w+\]$")
"""The id that a backup puts behind the name of a project."""

_NAME_SHOWN: Final = 100


class Rows:
    """Of a project's CSV."""

    def __init__(self, number: int, name: str, open_at: Open, options: TodoistOptions) -> None:
        """`name` is empty where it is not in a ZIP."""
        self._number = number
        self._name = name
        self._open = open_at
        self._options = options
        self._columns: list[str] = []

    async def begin(self) -> Place:
        """Return the place behind the names of the columns; raise NoTodoistError."""
        async with aclosing(await self._open(0)) as chunks:
            head = await anext(chunks, b"")
        start = len(_BOM) if head.startswith(_BOM) else 0
        async with aclosing(self._records(start)) as records:
            header = await anext(records, None)
        if header is None or COLUMNS - {*header.cells}:
            raise NoTodoistError
        self._columns = header.cells
        return Place(self._number, header.end, _HEADER_ROW)

    async def below(self, place: Place) -> AsyncIterator[tuple[Place, Record]]:
        """Yield each row with the place behind it."""
        async for record in self._records(place.byte):
            place = self._follow(place, record)
            yield place, record

    def item(self, behind: Place, record: Record) -> Item | None:
        """None: it says nothing of tasks itself."""
        where = f"{self._name[:_NAME_SHOWN]} row {behind.row}".strip()
        row, fault = self._row(record), self._fault(record)
        if fault is None and row["TYPE"] == "task":
            return read(where, behind.position, lambda: (self._task(behind, row), ()))
        if fault is None and row["TYPE"] == "note" and behind.above:
            return read(where, behind.position, lambda: (None, [self._comment(behind, row)]))
        if fault is None and row["TYPE"] == "note":
            fault = TASK_NOT_THERE, "note: there is no task above it"
        if fault is None:
            return None
        return Item(where, behind.position, faults=[Fault(where, *fault)])

    def _task(self, behind: Place, row: Row) -> TaskRecord:
        project = _SUFFIX.sub("", PurePosixPath(self._name).stem)
        return task_of(row, behind, project, self._options)

    def _comment(self, behind: Place, row: Row) -> CommentRecord:
        return comment_of(row, self._id_of(behind), behind.above[-1], self._options)

    def _follow(self, place: Place, record: Record) -> Place:
        behind = replace(place, byte=record.end, row=place.row + 1)
        if self._fault(record) is not None:
            return replace(behind, above=())  # what is below it may be its own
        row = self._row(record)
        if row["TYPE"] == "section":
            return replace(behind, section=section_of(row), above=())
        return behind.below(self._id_of(behind), indent_of(row)) if row["TYPE"] == "task" else behind

    def _fault(self, record: Record) -> tuple[str, str] | None:
        if record.fault:
            return INVALID, record.fault
        if len(record.cells) > len(self._columns):
            return INVALID, f"it has {len(record.cells)} cells, and the first line {len(self._columns)}"
        if self._row(record)["TYPE"] not in TYPES:
            return INVALID, "TYPE: must be task, section, note or meta"
        return None

    def _row(self, record: Record) -> Row:
        cells = [cell.strip() for cell in record.cells]
        return dict(zip_longest(self._columns, cells[: len(self._columns)], fillvalue=""))

    def _id_of(self, behind: Place) -> str:
        return f"{behind.file}/{behind.row}" if self._name else str(behind.row)

    async def _records(self, start: int) -> AsyncGenerator[Record]:
        async with aclosing(await self._open(start)) as chunks:
            async for record in read_records(chunks, start, ",", "utf-8"):
                yield record


class TodoistExport:
    """A source of tasks: the CSV of a project, or the ZIP of a backup, which has one for each."""

    def __init__(self, open_at: Open, sha256: str, options: TodoistOptions) -> None:
        self._open = open_at
        self._sha256 = sha256
        self._options = options

    async def survey(self) -> Survey:
        total = 0
        for rows in await self._files():
            place = await rows.begin()
            async for row_place, record in rows.below(place):
                total += rows.item(row_place, record) is not None
        # Rows have no ids: they are known by their places in this very file.
        return Survey(source=f"todoist:{self._sha256[:16]}", name=None, total=total)

    async def items(self, _: str, after: Position | None, /) -> AsyncIterator[Item]:
        first = Place.at(after) if after else None
        for rows in await self._files():
            place = await rows.begin()
            if first is not None and place.file <= first.file:
                if place.file < first.file:
                    continue
                place = first
            async for behind, record in rows.below(place):
                if (item := rows.item(behind, record)) is not None:
                    yield item

    async def _files(self) -> list[Rows]:
        async with aclosing(await self._open(0)) as chunks:
            head = await anext(chunks, b"")
            if not head.startswith(MAGIC):
                return [Rows(0, "", self._open, self._options)]
            content = bytearray(head)
            async for chunk in chunks:
                content += chunk
                if len(content) > MOST_BYTES:
                    break
        if len(content) > MOST_BYTES:
            raise ZipTooLargeError
        zipped = ForeignZip(bytes(content))
        names = zipped.names(".csv")
        if not names:
            raise NoTodoistError
        return [
            Rows(number, name, partial(zipped.open, name), self._options) for number, name in enumerate(names)
        ]
