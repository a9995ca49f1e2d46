"""Typed filters of lists: what a query parameter means in a WHERE."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, or_

NULL: Literal["null"] = "null"
ME: Literal["me"] = "me"


def any_of(column: Any, values: Sequence[Any], me: Any = None) -> Iterator[ColumnElement[bool]]:
    """The column has one of the values; `null` stands for none at all and `me` for the caller."""
    if values:
        known = [me if value == ME else value for value in values if value != NULL]
        present = column.in_(known)
        yield or_(present, column.is_(None)) if NULL in values else present


def between(column: Any, after: datetime | None, before: datetime | None) -> Iterator[ColumnElement[bool]]:
    """From `after` on and up to `before`, which is not part of it."""
    if after is not None:
        yield column >= after
    if before is not None:
        yield column < before
