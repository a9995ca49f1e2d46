"""ZIP files whose entries lie in them as they are: the same content makes the same bytes on every machine.

Nothing is compressed, so an entry is never longer than the file, and none of them is a bomb.
"""

import struct
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

MOMENT: Final = (1980, 1, 1, 0, 0, 0)
"""The first that a ZIP file can name: every entry's."""

_PART_BYTES = 256 << 10
_UNIX = 3
_IS_ENCRYPTED = 0x1
_FAULTS = (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError, struct.error)


class BrokenZipError(Exception):
    """Says what is wrong, and with which entry."""


class _Written:
    """Takes what the writer writes, which never goes back, until it is taken on."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        taken = b"".join(self.parts)
        self.parts, self.size = [], 0
        return taken


async def write_zip(entries: AsyncIterable[tuple[str, AsyncIterable[bytes]]]) -> AsyncIterator[bytes]:
    """Yield the bytes of a file with these entries, each of which is read to its end before the next one.

    In memory is the list of the entries, and of what they hold no more than a part.
    """
    written = _Written()
    with ZipFile(written, "w", ZIP_STORED) as file:
        async for name, chunks in entries:
            entry = ZipInfo(name, MOMENT)
            entry.create_system = _UNIX
            with file.open(entry, "w", force_zip64=True) as opened:
                async for chunk in chunks:
                    opened.write(chunk)
                    if written.size >= _PART_BYTES:
                        yield written.take()
    yield written.take()


class ZipReader:
    """Of a file as `write_zip` makes them, which comes from elsewhere. Raises BrokenZipError."""

    def __init__(self, path: Path) -> None:
        with _translated("The file"):
            self._file = ZipFile(path)
        entries = self._file.infolist()
        self.sizes = {entry.filename: entry.file_size for entry in entries}
        """In bytes, by name."""
        try:
            self._check(entries, path.stat().st_size)
        except BrokenZipError:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def read(self, name: str, longest: int) -> bytes:
        if self.sizes[name] > longest:
            raise BrokenZipError(f"{name}: has more than {longest} bytes")
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        with _translated(name), self._file.open(name) as entry:
            while chunk := entry.read(_PART_BYTES):
                yield chunk

    def lines(self, name: str, longest: int) -> Iterator[bytes]:
        """Yield them without their ends."""
        with _translated(name), self._file.open(name) as entry:
            number = 0
            while line := entry.readline(longest + 1):
                number += 1
                if not line.endswith(b"\n"):
                    raise BrokenZipError(f"{name}, line {number}: has no end, or more than {longest} bytes")
                yield line[:-1]

    def _check(self, entries: list[ZipInfo], file_size: int) -> None:
        if len(self.sizes) < len(entries):
            raise BrokenZipError("The file: names an entry twice")
        for entry in entries:
            if entry.compress_type != ZIP_STORED or entry.compress_size != entry.file_size:
                raise BrokenZipError(f"{entry.filename}: is compressed")
            if entry.flag_bits & _IS_ENCRYPTED:
                raise BrokenZipError(f"{entry.filename}: is encrypted")
        if sum(self.sizes.values()) > file_size:
            raise BrokenZipError("The file: has entries that lie in one another")


@contextmanager
def _translated(place: str) -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        raise BrokenZipError(f"{place}: {error}") from error
