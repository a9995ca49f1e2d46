"""What holds on every connection: told at its start, or, behind a pooler, with each transaction."""

from typing import Any, Final

import asyncpg
from sqlalchemy import Result, event
from sqlalchemy.orm import ORMExecuteState, Session

from glasswork.core.row_security import TellingConnection

LOCK_SECONDS = 2.5
"""A try; `RetryMiddleware` makes three, since a lock that is waited for is no sign of silence."""
STATEMENT_SECONDS = 3

SERVER_SETTINGS = {
    "application_name": "glasswork",
    "timezone": "UTC",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}ms",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "1s",
}
"""Of every connection of the API and of the worker."""

_KEPT_BY_POOLERS: Final = ("application_name", "timezone")
"""What PgBouncer takes at the start, and tells each server that it lends; it refuses all else."""


class PooledConnection(TellingConnection):
    """Each transaction may have another server: all that holds comes with BEGIN, and ends with it."""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if query.startswith("BEGIN"):
            self.next_settings = f"{_limits()} {self.next_settings}"
        return await super().execute(query, *args, **options)


class PooledReadConnection(PooledConnection):
    """Reads in transactions: a statement alone would have no limit of time but the caller's."""

    async def fetch(self, query: str, *args: Any, **options: Any) -> list[Any]:
        await self.execute("BEGIN READ ONLY;")
        try:
            rows: list[Any] = await super().fetch(query, *args, **options)
        except asyncpg.PostgresError:
            await self.execute("ROLLBACK;")
            raise  # after anything else the connection is ended, and with it the transaction
        await self.execute("COMMIT;")
        return rows


class ShortSession(Session):
    """Gives its server back after each statement.

    Of those who kept one while they wait for another, enough would use up the pooler, and all wait in vain.
    """


@event.listens_for(ShortSession, "do_orm_execute")
def _execute_alone(state: ORMExecuteState) -> Result[Any]:
    try:
        result = state.invoke_statement().freeze()
    except BaseException:
        state.session.rollback()
        raise
    state.session.commit()  # what was read stays as it is
    return result()


def pooled_options() -> dict[str, Any]:
    """Return arguments of `asyncpg.connect`.

    No statement is kept, for the next transaction's server would not know it. One without a name is made and
    run before the pooler takes the server back: the driver sends no Sync in between.
    """
    return {
        "statement_cache_size": 0,
        "server_settings": {name: SERVER_SETTINGS[name] for name in _KEPT_BY_POOLERS},
    }


def pooled_engine_options() -> dict[str, Any]:
    """Those of SQLAlchemy, which keeps statements of its own and names them."""
    return {
        **pooled_options(),
        "connection_class": PooledConnection,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": str,
    }


def _limits() -> str:
    return " ".join(
        f"SET LOCAL {name} = '{value}';"
        for name, value in SERVER_SETTINGS.items()
        if name not in _KEPT_BY_POOLERS
    )
