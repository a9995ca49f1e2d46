from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from glasswork.core.csv_records import Record
from glasswork.core.csv_records import read as read_records
from glasswork.features.intake.schemas import INVALID, Fault, Item, Open, Position, Survey, read

from .errors import NoHeaderError
from .policy import Reader, delimiter_of, reader_of
from .schemas import CsvOptions

_BOM = b"\xef\xbb\xbf"
_HEADER_ROW = 1


class CsvFile:
    """A source of tasks: each row is one."""

    def __init__(self, open_at: Open, sha256: str, options: CsvOptions) -> None:
        self._open = open_at
        self._sha256 = sha256
        self._options = options

    async def survey(self) -> Survey:
        header, delimiter = await self._header()
        reader = reader_of(header.cells, self._options)
        total = 0
        async for _ in self._records(header.end, delimiter):
            total += 1
        # Rows without ids of their own are known by their places in this very file.
        source = "csv" if "id" in reader.columns else f"csv:{self._sha256[:16]}"
        return Survey(source=source, name=None, total=total)

    async def items(self, _: str, after: Position | None, /) -> AsyncIterator[Item]:
        header, delimiter = await self._header()
        reader = reader_of(header.cells, self._options)
        position = after or {"byte": header.end, "row": _HEADER_ROW}
        row = position["row"]
        async for record in self._records(position["byte"], delimiter):
            row += 1
            yield _item(reader, record, row, len(header.cells))

    async def _header(self) -> tuple[Record, str]:
        async with aclosing(await self._open(0)) as chunks:
            head = await anext(chunks, b"")
        start = len(_BOM) if head.startswith(_BOM) else 0
        delimiter = self._options.delimiter or delimiter_of(head[start:].partition(b"\n")[0])
        async with aclosing(self._records(start, delimiter)) as records:
            header = await anext(records, None)
        if header is None or header.fault:
            raise NoHeaderError(self._options.encoding)
        return header, delimiter

    async def _records(self, start: int, delimiter: str) -> AsyncGenerator[Record]:
        async with aclosing(await self._open(start)) as chunks:
            async for record in read_records(chunks, start, delimiter, self._options.encoding):
                yield record


def _item(reader: Reader, record: Record, row: int, width: int) -> Item:
    place, after = f"row {row}", {"byte": record.end, "row": row}
    if record.fault:
        return Item(place, after, faults=[Fault(place, INVALID, record.fault)])
    if len(record.cells) > width:
        message = f"it has {len(record.cells)} cells, and the first line {width}"
        return Item(place, after, faults=[Fault(place, INVALID, message)])
    return read(place, after, lambda: (reader.read(record.cells, row), ()))
