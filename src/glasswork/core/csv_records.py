"""Records of a CSV file (RFC 4180) as its bytes come, each with where it ends: reading can go on there."""

import csv
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 256 << 10
"""Of a record: a quote that is never closed would make one of all the rest."""

_QUOTE: Final = b'"'
_OPEN: Final = "a quote is not closed"


@dataclass(frozen=True, slots=True)
class Record:
    cells: list[str]
    """None of them where it cannot be read."""
    end: int
    """Offset of the first byte behind it."""
    fault: str | None = None


async def read(
    chunks: AsyncIterator[bytes], start: int, delimiter: str, encoding: str
) -> AsyncIterator[Record]:
    """Yield the records of bytes that begin at `start`, which is where one begins; empty lines are none.

    `encoding` has ASCII's bytes for ASCII's characters. One that cannot be read ends with its line.
    """
    reader = _Reader(start, delimiter, encoding)
    async for line in _lines(chunks):
        for record in reader.take(line):
            yield record
    for record in reader.end():
        yield record


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Each with its end; one that is longer than a record may be comes in pieces."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
        while len(rest) > MOST_BYTES:
            yield rest[:MOST_BYTES]
            rest = rest[MOST_BYTES:]
    if rest:
        yield rest


class _Reader:
    """Has the lines of the record that is not whole yet: they hold an even number of quotes when it is."""

    def __init__(self, start: int, delimiter: str, encoding: str) -> None:
        self._end = start
        self._delimiter = delimiter
        self._encoding = encoding
        self._lines: list[bytes] = []
        self._quotes = self._size = 0

    def take(self, line: bytes) -> Iterator[Record]:
        self._lines.append(line)
        self._quotes += line.count(_QUOTE)
        self._size += len(line)
        is_first = len(self._lines) == 1
        if is_first or self._quotes % 2 == 0:
            cells, fault = self._parse()
            if fault is None or (is_first and fault != _OPEN):
                yield from self._leave(cells, fault)
            elif fault != _OPEN:
                yield from self._give_up()
        if self._size > MOST_BYTES:
            yield from self._give_up()

    def end(self) -> Iterator[Record]:
        while self._lines:
            yield from self._give_up()

    def _parse(self) -> tuple[list[str], str | None]:
        try:
            text = b"".join(self._lines).decode(self._encoding)
            return next(csv.reader([text], delimiter=self._delimiter, strict=True), []), None
        except UnicodeDecodeError:
            return [], f"it is not {self._encoding}"
        except csv.Error as error:
            return [], _OPEN if "end of data" in str(error) else str(error)

    def _leave(self, cells: list[str], fault: str | None) -> Iterator[Record]:
        self._end += self._size
        self._lines, self._quotes, self._size = [], 0, 0
        if cells or fault:
            yield Record(cells, self._end, fault)

    def _give_up(self) -> Iterator[Record]:
        """Let the first line stand alone, and look at the others once more."""
        first, *others = self._lines
        self._lines, self._size = [first], len(first)
        yield from self._leave([], _OPEN)
        for line in others:
            yield from self.take(line)
