"""Single reads: statements that are made once, and run as they are on a connection of the driver.

To make a statement, to look up how it is written and to open a session for it costs several times what the
database and its driver do (docs/performance.md). So what is read often is kept as a `Read`, made of
SQLAlchemy's models as any other statement; in a transaction it is one of the session's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import msgspec
from sqlalchemy import ARRAY, Enum, Row, Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from glasswork.core.read_connections import ReadConnections
from glasswork.core.telemetry.database import Summary, summarise

READS: Final = "reads"
"""The key in a session's `info` of the connections for its single reads."""

AnyRow = Row[*tuple[Any, ...]]
"""What a read returns: its columns are attributes, by name. Those of a `Read` are also JSON, nearly."""
Rows = Sequence[AnyRow]

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


Record = Sequence[Any]
"""Of the values of a row, in the order of the columns."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement as the driver takes it."""

    sql: str
    summary: Summary
    names: tuple[str, ...]
    """Of the parameters, in their order."""
    constants: Mapping[str, Any]
    row: Callable[..., Any]
    converters: Sequence[tuple[int, Callable[[Any], Any]]]
    """Of columns that are something else in Python, by their place."""

    def arguments(self, binds: Mapping[str, Any]) -> list[Any]:
        values = {**self.constants, **binds}
        return [values[name] for name in self.names]

    def converted(self, record: Record) -> Record:
        values = list(record)
        for place, convert in self.converters:
            if values[place] is not None:
                values[place] = convert(values[place])
        return values


class Read:
    """A statement that only reads; the binds that it is run with are all that differs."""

    def __init__(self, statement: Select[*tuple[Any, ...]], shown: int | None = None) -> None:
        """`shown`: how many columns, from the first, its rows have; a page is sorted by the others."""
        self.statement = statement
        self.shown = shown

    async def all(self, session: AsyncSession, binds: Mapping[str, Any]) -> Rows:
        return self.rows(await self.records(session, binds))

    async def find(self, session: AsyncSession, binds: Mapping[str, Any]) -> AnyRow | None:
        """The row of a statement that has one at most."""
        rows = await self.all(session, binds)
        return rows[0] if rows else None

    async def records(self, session: AsyncSession, binds: Mapping[str, Any]) -> Sequence[Record]:
        """All columns, shown or not."""
        connections: ReadConnections | None = session.info.get(READS)
        if connections is None:
            return (await session.execute(self.statement, dict(binds))).all()
        written = self._written
        records = await connections.fetch(written.sql, written.summary, written.arguments(binds))
        return [written.converted(record) for record in records] if written.converters else records

    def rows(self, records: Sequence[Record]) -> Rows:
        row, shown = self._written.row, self.shown
        return [row(*(record if shown is None else record[:shown])) for record in records]

    @cached_property
    def _written(self) -> _Written:
        compiled = self.statement.compile(dialect=_DIALECT)
        given = {name for name, bind in compiled.binds.items() if bind.required}
        expanded = compiled.construct_expanded_state(dict.fromkeys(given))
        columns = compiled._result_columns  # noqa: SLF001 (SQLAlchemy tells the types nowhere else)
        converters = ((place, _converter(column.type)) for place, column in enumerate(columns))
        return _Written(
            sql=expanded.statement,
            summary=summarise(expanded.statement),
            names=tuple(expanded.positiontup or ()),
            constants={name: value for name, value in expanded.parameters.items() if name not in given},
            row=msgspec.defstruct("Row", [str(column.keyname) for column in columns[: self.shown]]),
            converters=[(place, convert) for place, convert in converters if convert is not None],
        )


def _converter(type_: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """Return what makes a value of Python of one of the driver, which knows all types but ours."""
    if isinstance(type_, ARRAY):
        convert = _converter(type_.item_type)
        return None if convert is None else lambda values: [convert(value) for value in values]
    if isinstance(type_, Enum) and type_.enum_class is not None:
        return cast("Callable[[Any], Any]", type_.enum_class)
    return type_.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
