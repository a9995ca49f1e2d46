"""Keyset pages: complete and without doubles while others write, and as fast on page 1000 as on page 1."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field, TypeAdapter
from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.errors import ValidationError
from glasswork.core.schemas import Output
from glasswork.core.statements import AnyRow

_INVALID_CURSOR = ValidationError.at(
    ["query", "cursor"], "must be the next_cursor of a page with the same sort and filters", "invalid_cursor"
)

Item = TypeVar("Item")
AnySelect = Select[*tuple[Any, ...]]
Narrowing = Callable[[Sequence[Any] | None, int], ColumnElement[bool]]
"""Returns what holds for the first so many rows behind a place, that of the cursor, and for few others."""


class PageQuery(BaseModel):
    """The query parameters of every list; a slice's own class adds its filters and its sort keys."""

    limit: int = Field(50, ge=1, le=100, description="Items per page.")
    cursor: str | None = Field(
        None, max_length=2000, pattern=r"^[\w-]+$", description="The `next_cursor` of the page before."
    )
    sort: str
    total: bool = Field(False, description="Count all items too; this takes time.")


def sort_by(*names: str, default: str) -> Any:
    one = f"-?({'|'.join(names)})"
    return Field(
        default,
        pattern=f"^{one}(,{one})*$",
        description=f"Sort keys, most important first, `-` for descending: {', '.join(names)}.",
    )


class PageRead(Output, Generic[Item]):
    items: list[Item]
    next_cursor: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    items: Sequence[Item]
    next_cursor: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class SortKey:
    """What a list can be sorted by: never NULL, an absent value comes last in either direction."""

    ascending: ColumnElement[Any]
    descending: ColumnElement[Any]
    adapter: TypeAdapter[Any]

    @classmethod
    def of(cls, expression: Any, type_: Any) -> "SortKey":
        return cls(expression, expression, TypeAdapter(type_))

    @classmethod
    def nulls_last(cls, expression: Any, type_: Any, *, least: Any, greatest: Any) -> "SortKey":
        ascending, descending = func.coalesce(expression, greatest), func.coalesce(expression, least)
        return cls(ascending, descending, TypeAdapter(type_))


@dataclass(frozen=True, slots=True)
class Order:
    expression: ColumnElement[Any]
    adapter: TypeAdapter[Any]
    down: bool


async def fetch_page(
    session: AsyncSession,
    statement: AnySelect,
    query: PageQuery,
    keys: Mapping[str, SortKey],
    id_column: Any,
    binds: dict[str, Any],
    narrowing: Narrowing | None = None,
) -> Page[AnyRow]:
    """Run the statement for one page; its rows carry the statement's own columns.

    The narrowing spares to sort everything where no index has the order.
    """
    orders = orders_of(query.sort, keys, id_column)
    place = None if query.cursor is None else read_cursor(query.cursor, query, orders)
    rows_wanted = in_order(statement, orders).limit(query.limit + 1)
    if place is not None:
        rows_wanted = rows_wanted.where(after(orders, _bound(orders, place)))
    if narrowing is not None:
        rows_wanted = rows_wanted.where(narrowing(place, query.limit + 1))
    rows = (await session.execute(rows_wanted, binds)).all()
    items = rows[: query.limit]
    return Page(
        items=items,
        next_cursor=write_cursor(query, orders, _place(orders, items[-1]))
        if len(rows) > query.limit
        else None,
        total=await count(session, statement, binds) if query.total else None,
    )


def in_order(statement: AnySelect, orders: Sequence[Order]) -> AnySelect:
    """Its rows have what they are sorted by, too: `sort_0` and so on."""
    return statement.add_columns(
        *(order.expression.label(f"sort_{n}") for n, order in enumerate(orders))
    ).order_by(*(order.expression.desc() if order.down else order.expression for order in orders))


def cursor_behind(query: PageQuery, keys: Mapping[str, SortKey], id_column: Any, place: Sequence[Any]) -> str:
    """Return the cursor of a page that ends with the row that is sorted by these values."""
    return write_cursor(query, orders_of(query.sort, keys, id_column), place)


async def count(session: AsyncSession, statement: AnySelect, binds: dict[str, Any]) -> int:
    everything = select(func.count()).select_from(statement.subquery())
    return (await session.execute(everything, binds)).scalar_one()


_adapter = cache(TypeAdapter[Any])


def orders_of(sort: str, keys: Mapping[str, SortKey], id_column: Any) -> list[Order]:
    orders: dict[str, Order] = {}
    for item in sort.split(","):
        name, down = item.removeprefix("-"), item.startswith("-")
        key = keys[name]
        orders.setdefault(name, Order(key.descending if down else key.ascending, key.adapter, down))
    last = list(orders.values())[-1]
    return [*orders.values(), Order(id_column, _adapter(id_column.type.python_type), last.down)]


def _place(orders: Sequence[Order], row: Any) -> list[Any]:
    return [getattr(row, f"sort_{n}") for n, _ in enumerate(orders)]


def _bound(orders: Sequence[Order], values: Sequence[Any]) -> list[ColumnElement[Any]]:
    return [literal(value, order.expression.type) for order, value in zip(orders, values, strict=True)]


def after(orders: Sequence[Order], bound: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
    """What stands behind a place, which has a value for each of the orders."""
    expressions = [order.expression for order in orders]
    if len({order.down for order in orders}) == 1:
        place, here = tuple_(*expressions), tuple_(*bound)
        return place < here if orders[0].down else place > here
    beyond = [
        and_(
            *(earlier == value for earlier, value in zip(expressions[:n], bound[:n], strict=True)),
            order.expression < bound[n] if order.down else order.expression > bound[n],
        )
        for n, order in enumerate(orders)
    ]
    first = expressions[0] <= bound[0] if orders[0].down else expressions[0] >= bound[0]
    return and_(first, or_(*beyond))  # `first` follows from the rest, and lets an index find the start


def write_cursor(query: PageQuery, orders: Sequence[Order], place: Sequence[Any]) -> str:
    """`place`: what the last row of the page is sorted by."""
    values = [
        order.adapter.dump_python(value, mode="json") for order, value in zip(orders, place, strict=True)
    ]
    text = json.dumps([_fingerprint(query), *values], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, query: PageQuery, orders: Sequence[Order]) -> list[Any]:
    try:
        fingerprint, *values = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        position = [order.adapter.validate_python(value) for order, value in zip(orders, values, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _INVALID_CURSOR from error
    if fingerprint != _fingerprint(query):
        raise _INVALID_CURSOR
    return position


def _fingerprint(query: PageQuery) -> str:
    """Ties a cursor to the sort and filters of the list that gave it."""
    terms = query.model_dump_json(exclude={"cursor", "limit", "total"})
    return hashlib.sha256(terms.encode()).hexdigest()[:12]
