from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, Uuid, delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from uuid_utils.compat import uuid7

from glasswork.core.errors import ValidationError
from glasswork.core.paging import Page, PageQuery, SortKey, fetch_page
from glasswork.core.schemas import Int32

pytestmark = pytest.mark.anyio

ROWS = Table(
    "paged_rows",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("at", DateTime(timezone=True)),
    prefixes=["TEMPORARY"],
)
LEAST, GREATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
KEYS = {
    "number": SortKey.of(ROWS.c.number, Int32),
    "name": SortKey.of(ROWS.c.name.collate("C"), str),
    "at": SortKey.nulls_last(ROWS.c.at, AwareDatetime, least=LEAST, greatest=GREATEST),
}
COLUMNS = {"number": "number", "name": 'name COLLATE "C"', "at": "at"}
MOMENTS = [datetime(2026, 1, 1, 12, microsecond=n, tzinfo=UTC) for n in (0, 1, 999_999)]

row_lists = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.uuids(),
            "number": st.integers(-1, 1) | st.sampled_from([-(2**31), 2**31 - 1]),
            "name": st.text("aBä_ 😀", max_size=2),
            "at": st.sampled_from([None, *MOMENTS]),
        }
    ),
    max_size=12,
    unique_by=lambda row: row["id"],
)
sorts = st.lists(
    st.tuples(st.sampled_from(list(KEYS)), st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda key: key[0],
)


@pytest.fixture(scope="module")
async def session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    async with engine.connect() as connection:
        await connection.run_sync(ROWS.create)
        async with AsyncSession(connection) as session:
            yield session


async def fill(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    await session.execute(delete(ROWS))
    if rows:
        await session.execute(insert(ROWS), rows)


async def fetch(session: AsyncSession, query: PageQuery) -> Page[Any]:
    return await fetch_page(session, select(ROWS), query, KEYS, ROWS.c.id, {})


@settings(max_examples=40, deadline=None)
@given(rows=row_lists, sort=sorts, limit=st.integers(1, 5))
async def test_pages_are_the_sorted_whole_in_pieces(
    session: AsyncSession, rows: list[dict[str, Any]], sort: list[tuple[str, bool]], limit: int
) -> None:
    await fill(session, rows)
    names = ",".join(f"-{name}" if down else name for name, down in sort)
    query = PageQuery(sort=names, limit=limit, total=True)
    pages = [await fetch(session, query)]
    while cursor := pages[-1].next_cursor:
        pages.append(await fetch(session, query.model_copy(update={"cursor": cursor})))

    terms = [f"{COLUMNS[name]} {'DESC' if down else 'ASC'} NULLS LAST" for name, down in sort]
    terms.append("id DESC" if sort[-1][1] else "id")
    whole = await session.scalars(text(f"SELECT id FROM paged_rows ORDER BY {', '.join(terms)}"))
    assert [row.id for page in pages for row in page.items] == whole.all()
    assert all(len(page.items) == limit for page in pages[:-1])
    assert {page.total for page in pages} == {len(rows)}


class TestCursor:
    @pytest.fixture
    async def cursor(self, session: AsyncSession) -> str:
        """To the second of two rows, by number."""
        await fill(session, [{"id": uuid7(), "number": n, "name": "", "at": None} for n in range(2)])
        cursor = (await fetch(session, PageQuery(sort="number", limit=1))).next_cursor
        assert cursor is not None
        return cursor

    @pytest.mark.parametrize("sort", ["name", "-number", "number,name"])
    async def test_belongs_to_its_sort(self, session: AsyncSession, cursor: str, sort: str) -> None:
        with pytest.raises(ValidationError):
            await fetch(session, PageQuery(sort=sort, cursor=cursor))

    async def test_goes_on_after_its_row_is_gone(self, session: AsyncSession, cursor: str) -> None:
        await session.execute(delete(ROWS).where(ROWS.c.number == 0))
        page = await fetch(session, PageQuery(sort="number", cursor=cursor))
        assert ([row.number for row in page.items], page.next_cursor) == ([1], None)

    async def test_at_the_end_finds_nothing(self, session: AsyncSession, cursor: str) -> None:
        await session.execute(delete(ROWS))
        page = await fetch(session, PageQuery(sort="number", cursor=cursor, total=True))
        assert page == Page(items=[], next_cursor=None, total=0)
