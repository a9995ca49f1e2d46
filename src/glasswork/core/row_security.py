"""The second line of isolation: PostgreSQL's own policies on every table of a workspace.

They let a transaction write what belongs to the workspaces of whom it acts for. It says who that is in the
message that begins it, with settings that end with it: no further trip, and nothing for the pool to keep.
"""

from collections.abc import Iterator
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Session, SessionTransaction

from glasswork.core.actor import Actor

SETTINGS: Final = "row_security"
"""The key in a session's `info`."""
SYSTEM: Final = "SET LOCAL glasswork.scope = 'system';"
"""For work that is nobody's, or that reaches beyond the actor's workspaces."""
NOBODY: Final = ""
"""It writes in no workspace."""

IS_MINE: Final = "workspace_id = ANY ((SELECT actor_workspaces())::uuid[])"
"""A subquery that looks at no row is carried out once a statement, not once a row."""
IS_THE_ACTORS: Final = "user_id = (SELECT nullif(current_setting('glasswork.user_id', true), '')::uuid)"
_IS_SYSTEM: Final = "(SELECT current_setting('glasswork.scope', true) = 'system')"

WHY_BYPASSED: Final = """
    SELECT CASE
        WHEN rolsuper THEN 'is a superuser'
        WHEN rolbypassrls THEN 'has BYPASSRLS'
        WHEN pg_has_role(relowner, 'USAGE') THEN 'owns the tables'
    END
    FROM pg_roles, pg_class WHERE rolname = current_user AND pg_class.oid = to_regclass('public.workspaces')
"""


def settings_of(actor: Actor | None) -> str:
    if actor is None:
        return NOBODY
    # `hex` is a UUID's alone: nothing that a caller wrote can get in here.
    user = f"SET LOCAL glasswork.user_id = '{actor.user_id.hex}';"
    if actor.token is None:
        return user
    return f"{user} SET LOCAL glasswork.api_token_id = '{actor.session_id.hex}';"


class TellingConnection(asyncpg.Connection):
    """Sends the settings of the next transaction in the message that begins it."""

    next_settings = NOBODY

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if query.startswith("BEGIN"):
            query, self.next_settings = f"{query} {self.next_settings}", NOBODY
        status: str = await super().execute(query, *args, **options)
        return status


@event.listens_for(Session, "after_begin")
def _note(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    """Called before BEGIN is sent, which the driver puts off until the first statement."""
    if SETTINGS in session.info and not transaction.nested:
        driver: Any = connection.connection.driver_connection
        driver.next_settings = session.info[SETTINGS]


def is_refused_by_policy(error: Exception) -> bool:
    """Whether a policy refused a row; a right that was never granted has the same SQLSTATE."""
    driver_error = getattr(error.orig, "__cause__", None) if isinstance(error, DBAPIError) else error
    return getattr(driver_error, "server_source_function", None) == "ExecWithCheckOptions"


async def why_bypassed(connection: AsyncConnection) -> str | None:
    """Return why no policy holds for the role that serves, if that is so."""
    reason: str | None = await connection.scalar(text(WHY_BYPASSED))
    return reason


def policies(table: str, is_mine: str = IS_MINE) -> Iterator[str]:
    """Yield the statements that protect a table; every migration that makes one with a workspace needs them.

    Reads are open: a condition that only some transactions put would cost all reads their plans.
    """
    may_write = f"{_IS_SYSTEM} OR {is_mine}"
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"CREATE POLICY reads ON {table} FOR SELECT USING (true)"
    yield f"CREATE POLICY inserts ON {table} FOR INSERT WITH CHECK ({may_write})"
    yield f"CREATE POLICY updates ON {table} FOR UPDATE USING ({may_write}) WITH CHECK ({may_write})"
    yield f"CREATE POLICY deletes ON {table} FOR DELETE USING ({may_write})"
