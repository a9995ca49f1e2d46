"""How the database finds what a read answers."""

from typing import Any

from glasswork.core.db import Database
from tests.factories.callers import Caller
from tests.statements import watching


async def plan_of(database: Database, caller: Caller, path: str, **query: Any) -> str:
    """Return the plan of the one statement of a read that shows events."""
    asked: list[tuple[str, Any]] = []

    def note(statement: str, parameters: Any) -> None:
        if "_events.before" in statement:
            asked.append((statement, tuple(parameters)))

    with watching(database, note):
        answer = await caller.get(path, **query)
    assert answer.status_code == 200, answer.text
    ((statement, parameters),) = asked
    async with database.engine.connect() as connection:
        explained = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(explained.scalars())
