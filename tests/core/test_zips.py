import struct
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pytest

from glasswork.core.zips import MOMENT, BrokenZipError, ZipReader, write_zip

pytestmark = pytest.mark.anyio

CONTENT = {"a.txt": b"one\ntwo\n", "ü/b": b"\0" * 300_000, "empty": b""}
DIRECTORY = b"PK\x01\x02"
LONGEST = 10


async def entries(content: dict[str, bytes]) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    for name, data in content.items():
        yield name, halves(data)


async def halves(data: bytes) -> AsyncIterator[bytes]:
    yield data[: len(data) // 2]
    yield data[len(data) // 2 :]


async def written(content: dict[str, bytes]) -> bytes:
    return b"".join([chunk async for chunk in write_zip(entries(content))])


def patched(offset: int, *numbers: int, form: str = "<I") -> Callable[[bytes], bytes]:
    """Change what the directory says of the first entry."""

    def patch(file: bytes) -> bytes:
        place = file.index(DIRECTORY) + offset
        new = b"".join(struct.pack(form, number) for number in numbers)
        return file[:place] + new + file[place + len(new) :]

    return patch


async def test_what_is_written_is_read_by_anybody(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(await written(CONTENT))
    with ZipFile(path) as file:
        assert {name: file.read(name) for name in file.namelist()} == CONTENT
        assert {entry.date_time for entry in file.infolist()} == {MOMENT}
    with closing(ZipReader(path)) as reader:
        assert reader.sizes == {name: len(data) for name, data in CONTENT.items()}
        assert {name: b"".join(reader.chunks(name)) for name in CONTENT} == CONTENT
        assert list(reader.lines("a.txt", LONGEST)) == [b"one", b"two"]
        assert reader.read("a.txt", LONGEST) == CONTENT["a.txt"]


async def test_the_same_content_makes_the_same_bytes() -> None:
    assert await written(CONTENT) == await written(CONTENT)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (patched(8, 1, form="<H"), "a.txt: is encrypted"),
        (patched(10, 8, form="<H"), "a.txt: is compressed"),
        (patched(20, 1 << 20, 1 << 20), "lie in one another"),
        (patched(24, 1 << 20), "a.txt: is compressed"),
        (lambda file: file.replace(b"b.txt", b"a.txt"), "names an entry twice"),
    ],
    ids=["encrypted", "compressed", "too long", "longer than it is", "twice"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
async def test_what_the_directory_must_not_say(
    tmp_path: Path, spoil: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(spoil(await written({"a.txt": b"one", "b.txt": b"two"})))
    with pytest.raises(BrokenZipError, match=message):
        ZipReader(path)


async def test_what_is_too_long_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(await written({"a.txt": b"one\n" + b"x" * 11 + b"\n", "b.txt": b"x" * 11}))
    with closing(ZipReader(path)) as reader:
        with pytest.raises(BrokenZipError, match=r"a\.txt, line 2: has no end, or more than 10 bytes"):
            list(reader.lines("a.txt", LONGEST))
        with pytest.raises(BrokenZipError, match=r"b\.txt: has more than 10 bytes"):
            reader.read("b.txt", LONGEST)
        assert list(reader.lines("a.txt", LONGEST + 1)) == [b"one", b"x" * 11]
