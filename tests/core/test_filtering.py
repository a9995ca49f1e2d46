from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import ColumnElement, DateTime, Text, column, select, values

from glasswork.core.db import Database
from glasswork.core.filtering import any_of, between, equal, within

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
ROWS = values(column("name", Text), column("at", DateTime(timezone=True)), name="rows").data(
    [("a", FIRST), ("b", SECOND), ("c", THIRD), (None, None)]
)


async def found(database: Database, conditions: Iterator[ColumnElement[bool]]) -> str:
    """The names of the rows, `-` for the one without."""
    async with database.reading() as session:
        names = await session.scalars(select(ROWS.c.name).where(*conditions))
        return "".join(sorted(name or "-" for name in names))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ([], "-abc"),
        (["a"], "a"),
        (["a", "c", "a"], "ac"),
        (["x"], ""),
        (["null"], "-"),
        (["null", "b"], "-b"),
        (["me"], "c"),
        (["me", "a", "null"], "-ac"),
    ],
)
async def test_any_of(database: Database, wanted: list[str], names: str) -> None:
    assert await found(database, any_of(ROWS.c.name, wanted, me="c")) == names


@pytest.mark.parametrize(
    ("after", "before", "names"),
    [
        (None, None, "-abc"),
        (SECOND, None, "bc"),
        (None, SECOND, "a"),
        (FIRST, THIRD, "ab"),
        (SECOND, SECOND, ""),
    ],
)
async def test_between(database: Database, after: Any, before: Any, names: str) -> None:
    assert await found(database, between(ROWS.c.at, after, before)) == names


@pytest.mark.parametrize(
    ("least", "most", "names"),
    [
        (None, None, "-abc"),
        (SECOND, None, "bc"),
        (None, SECOND, "ab"),
        (SECOND, SECOND, "b"),
        (THIRD, FIRST, ""),
    ],
)
async def test_within_has_both_its_ends(
    database: Database, least: datetime | None, most: datetime | None, names: str
) -> None:
    assert await found(database, within(ROWS.c.at, least, most)) == names


@pytest.mark.parametrize(("value", "names"), [(None, "-abc"), ("b", "b"), ("x", "")])
async def test_equal(database: Database, value: str | None, names: str) -> None:
    assert await found(database, equal(ROWS.c.name, value)) == names
