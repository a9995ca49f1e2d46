"""What a piece of code sends to the database: by the engine, and by statements that are kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event

from glasswork.core.db import Database

Change = Callable[[str, Any], str | None]
"""Is shown a statement and its parameters, and may return another in its place."""


@contextmanager
def watching(database: Database, change: Change) -> Iterator[None]:
    """Show all statements, and the savepoints that stand in for transactions here."""
    engine, fetch = database.engine.sync_engine, asyncpg.Connection.fetch

    def of_engine(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return change(statement, parameters) or statement, parameters

    async def kept(connection: Any, query: str, *parameters: Any, **options: Any) -> Any:
        return await fetch(connection, change(query, parameters) or query, *parameters, **options)

    event.listen(engine, "before_cursor_execute", of_engine, retval=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg.Connection, "fetch", kept)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", of_engine)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Yield all but the savepoints that stand in for transactions here."""
    sent: list[str] = []

    def note(statement: str, _: object) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            sent.append(statement)

    with watching(database, note):
        yield sent
