"""Typed filters of lists: what a query parameter means in a WHERE."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, bindparam, or_

NULL: Literal["null"] = "null"
ME: Literal["me"] = "me"


def any_of(column: Any, values: Sequence[Any], me: Any = None) -> Iterator[ColumnElement[bool]]:
    """The column has one of the values; `null` stands for none at all and `me` for the caller."""
    if values:
        known, or_absent = _meant(values, me)
        present = column.in_(known)
        yield or_(present, column.is_(None)) if or_absent else present


def _meant(values: Sequence[Any], me: Any) -> tuple[list[Any], bool]:
    """Return the values, and whether none at all is one of them."""
    return [me if value == ME else value for value in values if value != NULL], NULL in values


def between(
    column: Any, after: date | datetime | None, before: date | datetime | None
) -> Iterator[ColumnElement[bool]]:
    """From `after` on and up to `before`, which is not part of it."""
    if after is not None:
        yield column >= after
    if before is not None:
        yield column < before


def within(column: Any, least: Any, most: Any) -> Iterator[ColumnElement[bool]]:
    """Of numbers: both ends are part of it."""
    if least is not None:
        yield column >= least
    if most is not None:
        yield column <= most


def equal(column: Any, value: Any) -> Iterator[ColumnElement[bool]]:
    if value is not None:
        yield column == value


@dataclass(frozen=True, slots=True)
class Condition:
    """What a list asks for; asked again with other values it is the same clause."""

    clause: ColumnElement[bool]
    binds: Mapping[str, Any]
    """The values of its parameters, by their names."""


class AnyOf:
    """A filter whose parameter may be repeated, as `any_of`, with the clauses of a `Listing`.

    Each value has a parameter of its own: an index that has the rows in order is of use for one value, and of
    none for an array of them.
    """

    def __init__(
        self,
        name: str,
        column: Any,
        holds: Callable[[ColumnElement[bool]], ColumnElement[bool]] = lambda is_one: is_one,
        is_absent: ColumnElement[bool] | None = None,
        *,
        has_words: bool = True,
    ) -> None:
        """`holds`: what follows from the column having one of the values; that it is in the row itself.

        Without `has_words`, `me` and `null` are values like any other.
        """
        self._name = name
        self._column = column
        self._holds = holds
        self._is_absent = column.is_(None) if is_absent is None else is_absent
        self._has_words = has_words
        self._clause = lru_cache(maxsize=16)(self._make_clause)

    def of(self, values: Sequence[Any], me: Any = None) -> Iterator[Condition]:
        if not values:
            return
        known, or_absent = _meant(values, me) if self._has_words else ([*values], False)
        binds = {self._parameter(n): value for n, value in enumerate(known)}
        yield Condition(self._clause(len(known), or_absent), binds)

    def _parameter(self, number: int) -> str:
        """Unlike any that SQLAlchemy makes of a column's name."""
        return f"{self._name}_is_{number}"

    def _make_clause(self, count: int, or_absent: bool) -> ColumnElement[bool]:
        if not count:
            return self._is_absent
        one = [bindparam(self._parameter(n), type_=self._column.type) for n in range(count)]
        has_one = self._column == one[0] if count == 1 else self._column.in_(one)
        present = self._holds(has_one)
        return or_(present, self._is_absent) if or_absent else present
