"""Statements that are made once, and run as they are on a connection of the driver.

To make a statement, to look up how it is written and to run it by the engine costs several times what the
database and its driver do (docs/performance.md). So what is asked often is kept as a `Read`, made of
SQLAlchemy's models as any other statement. A single one needs no connection of a session; in a transaction it
runs on that of the transaction, as a `Write` always does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import msgspec
from pydantic import BaseModel
from sqlalchemy import ARRAY, ClauseElement, Dialect, Enum, Float, Numeric, Row, Text, TypeDecorator
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi, PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from glasswork.core.read_connections import ReadConnections
from glasswork.core.telemetry.database import Summary, observing, summarise

READS: Final = "reads"
"""The key in a session's `info` of the connections for its single reads."""
SIGNALS: Final = "signals"
"""Of what observes the statements of its transaction."""
_DRIVER: Final = "driver"

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
    processors: Mapping[str, Callable[[Any], Any]]
    """Of parameters that are something else to the driver."""
    row: Callable[..., Any]
    converters: Sequence[tuple[int, Callable[[Any], Any]]]
    """Of columns that are something else in Python, by their place."""

    def arguments(self, binds: Mapping[str, Any]) -> list[Any]:
        values = {**self.constants, **binds}
        for name, process in self.processors.items():
            values[name] = process(values[name])
        return [values[name] for name in self.names]

    def converted(self, record: Record) -> Record:
        values = list(record)
        for place, convert in self.converters:
            if values[place] is not None:
                values[place] = convert(values[place])
        return values


class WrittenJson(TypeDecorator[msgspec.Raw]):
    """JSON cast to text, to be sent on as it is."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> msgspec.Raw | None:  # noqa: ARG002
        return None if value is None else msgspec.Raw(value.encode())


class _Statement:
    def __init__(self, statement: ClauseElement, shown: int | None = None) -> None:
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
        written = self._written
        records = await self._run(session, written, written.arguments(binds))
        return [written.converted(record) for record in records] if written.converters else records

    async def _run(self, session: AsyncSession, written: _Written, values: Sequence[Any]) -> Sequence[Record]:
        driver, signals = await _driver_of(session), session.info.get(SIGNALS)
        try:
            with observing(signals, written.summary, written.sql):
                return cast("Sequence[Record]", await driver.fetch(written.sql, *values))
        except TimeoutError:
            await _give_up(session, driver)
            raise

    def rows(self, records: Sequence[Record]) -> Rows:
        row, shown = self._written.row, self.shown
        return [row(*(record if shown is None else record[:shown])) for record in records]

    @cached_property
    def _written(self) -> _Written:
        compiled = cast("SQLCompiler", self.statement.compile(dialect=_DIALECT))
        given = {name for name, bind in compiled.binds.items() if bind.required}
        expanded = compiled.construct_expanded_state(dict.fromkeys(given))
        processors = {
            name: process for name, bind in compiled.binds.items() if (process := _processor(bind.type))
        }
        processors |= expanded.processors
        constants = {name: value for name, value in expanded.parameters.items() if name not in given}
        columns = compiled._result_columns  # noqa: SLF001 (SQLAlchemy tells the types nowhere else)
        converters = ((place, _converter(column.type)) for place, column in enumerate(columns))
        return _Written(
            sql=expanded.statement,
            summary=summarise(expanded.statement),
            names=tuple(expanded.positiontup or ()),
            constants={
                name: processors[name](value) if name in processors else value
                for name, value in constants.items()
            },
            processors={name: process for name, process in processors.items() if name in given},
            row=msgspec.defstruct("Row", [str(column.keyname) for column in columns[: self.shown]]),
            converters=[(place, convert) for place, convert in converters if convert is not None],
        )


class Read(_Statement):
    """A statement that only reads; the binds that it is run with are all that differs."""

    async def _run(self, session: AsyncSession, written: _Written, values: Sequence[Any]) -> Sequence[Record]:
        connections: ReadConnections | None = session.info.get(READS)
        if connections is None:
            return await super()._run(session, written, values)
        return await connections.fetch(written.sql, written.summary, values)


class Write(_Statement):
    """One that changes something; what it returns are rows, too."""


async def _driver_of(session: AsyncSession) -> Any:
    """Return the driver's connection of the session's transaction, or savepoint, which has begun."""
    transaction, info = _innermost(session), session.sync_session.info
    known = info.get(_DRIVER)
    if known is not None and known[0] is transaction:
        return known[1]
    connection: Any = (await session.connection()).sync_connection
    adapted = connection.connection.dbapi_connection
    if adapted._transaction is None:  # noqa: SLF001 (what the engine's first statement does)
        try:
            await adapted._start_transaction()  # noqa: SLF001 (likewise)
        except AsyncAdapt_asyncpg_dbapi.Error as error:
            raise error.__cause__ or error from None  # the driver's own, as of any statement here
        except TimeoutError:
            await _give_up(session, adapted.driver_connection)
            raise
    info[_DRIVER] = _innermost(session), adapted.driver_connection
    return adapted.driver_connection


async def _give_up(session: AsyncSession, driver: Any) -> None:
    """Who does not answer a statement would not answer ROLLBACK; and BEGIN may be carried out yet."""
    driver.terminate()
    await session.invalidate()


def _innermost(session: AsyncSession) -> Any:
    """A savepoint is not sent before the session is asked for its connection."""
    return session.sync_session.get_nested_transaction() or session.sync_session.get_transaction()


def row_of(schema: type[BaseModel]) -> Callable[..., Any]:
    """Return what makes a row of the values of a schema's fields, in their order."""
    return msgspec.defstruct(f"{schema.__name__}Row", list(schema.model_fields))


def _processor(type_: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """Return what makes a value of the driver of one of Python."""
    return type_.dialect_impl(_DIALECT).bind_processor(_DIALECT)


def _converter(type_: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """Return what makes a value of Python of one of the driver, which knows all types but ours."""
    if isinstance(type_, ARRAY):
        convert = _converter(type_.item_type)
        return None if convert is None else lambda values: [convert(value) for value in values]
    if isinstance(type_, Enum) and type_.enum_class is not None:
        return cast("Callable[[Any], Any]", type_.enum_class)
    if isinstance(type_, Float | Numeric):
        return None  # the driver has a Decimal or a float already
    return type_.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
