import csv
import io
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasswork.core.csv_records import MOST_BYTES, Record, read

pytestmark = pytest.mark.anyio


async def chunks(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def records(content: bytes, size: int = 7, start: int = 0, delimiter: str = ",") -> list[Record]:
    return [each async for each in read(chunks(content[start:], size), start, delimiter, "utf-8")]


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        (b"", []),
        (b"\n\r\n", []),
        (b"a,b", [["a", "b"]]),
        (b"a,b\r\n1,\r\n", [["a", "b"], ["1", ""]]),
        (b'"a ""b""","c\r\nd"\n2,e', [['a "b"', "c\r\nd"], ["2", "e"]]),
        (b'5,st"ray\n6,z\n', [["5", 'st"ray'], ["6", "z"]]),
        ("ä,€\n".encode(), [["ä", "€"]]),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
async def test_reads_what_is_well_formed(content: bytes, cells: list[list[str]], size: int) -> None:
    found = await records(content, size)
    assert [record.cells for record in found] == cells
    assert not any(record.fault for record in found)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'2,"open', "a quote is not closed"),
        (b'2,"a"b', "',' expected after '\"'"),
        (b"2,\xff", "it is not utf-8"),
    ],
)
async def test_what_cannot_be_read_ends_with_its_line(content: bytes, fault: str) -> None:
    found = await records(b"1,a\n" + content + b'\n3,c\n4,"d\nd"\n')
    assert [(record.cells, record.fault) for record in found] == [
        (["1", "a"], None),
        ([], fault),
        (["3", "c"], None),
        (["4", "d\nd"], None),
    ]


async def test_a_quote_that_is_never_closed_takes_no_more_than_a_record_may_have() -> None:
    rest = b"3,c\n" * (MOST_BYTES // 2)
    found = await records(b'2,"open\n' + rest, 4096)
    assert found[0].fault == "a quote is not closed"
    assert [record.cells for record in found[1:]] == [["3", "c"]] * (MOST_BYTES // 2)


async def test_a_line_that_never_ends_is_told() -> None:
    found = await records(b"a" * (3 * MOST_BYTES) + b"\nb\n", 1 << 16)
    assert found[0].fault
    assert found[-1].cells == ["b"]


@given(
    rows=st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r")), min_size=2)),
    size=st.integers(1, 50),
)
async def test_reads_what_pythons_writer_writes_from_wherever_it_is_begun(
    rows: list[list[str]], size: int
) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    content = written.getvalue().encode()
    found = await records(content, size)
    assert [record.cells for record in found] == rows
    for place, record in enumerate(found):
        assert await records(content, size, record.end) == found[place + 1 :]
