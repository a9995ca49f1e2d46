"""Lists that are read often: a statement is made once for each way in which they are asked for."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, bindparam, literal_column
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.filtering import Condition
from glasswork.core.paging import (
    AnySelect,
    Narrowing,
    Order,
    Page,
    PageQuery,
    SortKey,
    after,
    count,
    fetch_page,
    in_order,
    orders_of,
    read_cursor,
    write_cursor,
)
from glasswork.core.statements import AnyRow, Read

KEPT: Final = 500
"""Statements, of all lists: they differ in sort, limit and filters, and by whether there is a cursor."""


class Listing:
    """Its statement and its conditions have parameters in the place of values."""

    def __init__(self, statement: AnySelect, keys: Mapping[str, SortKey], id_column: Any) -> None:
        self._statement = statement
        self._keys = keys
        self._id_column = id_column

    async def page(
        self,
        session: AsyncSession,
        query: PageQuery,
        binds: Mapping[str, Any],
        conditions: Iterable[Condition] = (),
    ) -> Page[AnyRow]:
        binds, clauses = dict(binds), []
        for condition in conditions:
            clauses.append(condition.clause)
            binds |= condition.binds
        read, orders = _kept(self, tuple(clauses), query.sort, query.limit, query.cursor is not None)
        if query.cursor is not None:
            place = read_cursor(query.cursor, query, orders)
            binds |= {f"place_{n}": value for n, value in enumerate(place)}
        records = await read.records(session, binds)
        last = records[query.limit - 1][read.shown :] if len(records) > query.limit else None
        return Page(
            items=read.rows(records[: query.limit]),
            next_cursor=None if last is None else write_cursor(query, orders, last),
            total=await count(session, self._statement.where(*clauses), binds) if query.total else None,
        )

    async def page_anew(
        self,
        session: AsyncSession,
        query: PageQuery,
        binds: Mapping[str, Any],
        conditions: Iterable[Condition],
        further: Iterable[ColumnElement[bool]],
        narrowing: Narrowing | None = None,
    ) -> Page[AnyRow]:
        """With conditions that are the query's own: their statement is not kept."""
        binds, statement = dict(binds), self._statement.where(*further)
        for condition in conditions:
            statement = statement.where(condition.clause)
            binds |= condition.binds
        return await fetch_page(session, statement, query, self._keys, self._id_column, binds, narrowing)

    def read(
        self, clauses: Sequence[ColumnElement[bool]], sort: str, limit: int, has_cursor: bool
    ) -> tuple[Read, Sequence[Order]]:
        """Return the statement, and what its rows are sorted by."""
        orders = orders_of(sort, self._keys, self._id_column)
        # The planner must see it: for one that is a parameter it gets ready to show a tenth of all.
        one_more = literal_column(str(limit + 1), Integer())
        statement = in_order(self._statement.where(*clauses), orders).limit(one_more)
        if has_cursor:
            place = [bindparam(f"place_{n}", type_=order.expression.type) for n, order in enumerate(orders)]
            statement = statement.where(after(orders, place))
        return Read(statement, shown=len(self._statement.selected_columns)), orders


@lru_cache(maxsize=KEPT)
def _kept(
    listing: Listing, clauses: tuple[ColumnElement[bool], ...], sort: str, limit: int, has_cursor: bool
) -> tuple[Read, Sequence[Order]]:
    return listing.read(clauses, sort, limit, has_cursor)
