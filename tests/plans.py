"""How the database finds what a read answers."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from glasswork.core.db import Database
from tests.factories.callers import Caller


async def plan_of(database: Database, caller: Caller, path: str, **query: Any) -> str:
    """Return the plan of the one statement of a read that shows events."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "_events.before" in statement:
            asked.append((statement, parameters))

    engine: Engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    answer = await caller.get(path, **query)
    event.remove(engine, "before_cursor_execute", note)
    assert answer.status_code == 200, answer.text
    ((statement, parameters),) = asked
    async with database.engine.connect() as connection:
        explained = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(explained.scalars())
