"""Files in ZIP archives that others have packed, as their bytes come; an archive is held in memory."""

from collections.abc import AsyncGenerator
from io import BytesIO
from typing import Final
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 (an exception by its kind's name)

from glasswork.core.errors import PayloadTooLargeError, ValidationError

MAGIC: Final = b"PK\x03\x04"
MOST_BYTES: Final = 16 << 20
"""Of the archive; its directory is read as a whole."""
MOST_UNPACKED: Final = 1 << 30
"""Bytes of all its files: few can be made of very many."""
CHUNK_BYTES: Final = 64 << 10


class UnreadableZipError(ValidationError):
    code = "UNREADABLE_ZIP"

    def __init__(self) -> None:
        super().__init__("The file is no ZIP archive that can be read, or not all of it is there.")


class ZipTooLargeError(PayloadTooLargeError):
    code = "ZIP_TOO_LARGE"

    def __init__(self) -> None:
        super().__init__(f"A ZIP archive has at most {MOST_BYTES:,} bytes, and {MOST_UNPACKED:,} unpacked.")


class ForeignZip:
    """Raises UnreadableZipError and ZipTooLargeError; no file has more bytes than it says."""

    def __init__(self, content: bytes) -> None:
        try:
            self._zip = ZipFile(BytesIO(content))
        except (BadZipFile, NotImplementedError, ValueError) as error:
            raise UnreadableZipError from error
        if sum(each.file_size for each in self._zip.infolist()) > MOST_UNPACKED:
            raise ZipTooLargeError

    def names(self, suffix: str) -> list[str]:
        """Sorted, without what a Mac puts beside the files."""
        names = {name for name in self._zip.namelist() if name.lower().endswith(suffix)}
        return sorted(name for name in names if not name.startswith("__MACOSX/"))

    async def open(self, name: str, start: int) -> AsyncGenerator[bytes]:
        return self._read(name, start)

    async def _read(self, name: str, start: int) -> AsyncGenerator[bytes]:
        try:
            with self._zip.open(name) as opened:
                opened.seek(start)
                while chunk := opened.read(CHUNK_BYTES):
                    yield chunk
        except (BadZipFile, NotImplementedError, RuntimeError, EOFError, ZlibError) as error:
            # RuntimeError: it is encrypted.
            raise UnreadableZipError from error
