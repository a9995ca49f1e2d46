"""What PostgreSQL says of itself, asked over one connection as the role that serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from glasswork.core import revisions, row_security
from glasswork.core.database_urls import place_of

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10

SETTINGS = (
    *("server_version", "server_version_num", "fsync", "full_page_writes", "synchronous_commit"),
    *("max_connections", "superuser_reserved_connections", "reserved_connections"),
    *("server_encoding", "TimeZone"),
)

_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY($1)"
_OWN = """
    SELECT current_user::text AS role, clock_timestamp() AS clock, host(inet_server_addr()) AS address,
        (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS is_encrypted,
        (SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = to_regclass('public.workspaces'))
        AS owner
"""
_UNPROTECTED = """
    SELECT relname::text FROM pg_class
    JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'workspace_id' AND NOT attisdropped
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relrowsecurity
    ORDER BY relname
"""
# A process has one connection for health, which may tell where it listens; one that carries out jobs listens
# for them, too.
_PROCESSES = """
    SELECT count(*) FILTER (WHERE application_name ~ '^glasswork (health|peer )') AS processes,
        count(*) FILTER (WHERE query ~* '^\\s*LISTEN\\s+"?ch_pgqueuer') AS workers
    FROM pg_stat_activity WHERE datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Facts:
    settings: Mapping[str, str]
    role: str
    owner: str | None
    """Of the tables; None where there are none."""
    bypass: str | None
    """Why no policy holds for the role, if that is so."""
    unprotected: Sequence[str]
    """Tables of workspaces without row security."""
    revision: str | None
    address: str | None
    """Of the server, None behind a socket."""
    is_encrypted: bool
    clock_off: float
    """Seconds by which the database's clock is before ours."""
    processes: int
    workers: int
    """Those of the processes that carry out jobs."""


async def ask(url: str) -> Facts:
    """Raise what the driver raises."""
    connection: asyncpg.Connection = await asyncpg.connect(
        **place_of(url),
        timeout=CONNECT_SECONDS,
        command_timeout=ANSWER_SECONDS,
        server_settings={"application_name": "glasswork doctor"},
    )
    try:
        return await _ask(connection)
    finally:
        connection.terminate()


async def _ask(connection: Any) -> Facts:
    settings = {row["name"]: row["setting"] for row in await connection.fetch(_SETTINGS, SETTINGS)}
    before = datetime.now(UTC)
    own = await connection.fetchrow(_OWN)
    after = datetime.now(UTC)
    processes = await connection.fetchrow(_PROCESSES)
    return Facts(
        settings=settings,
        role=own["role"],
        owner=own["owner"],
        bypass=await connection.fetchval(row_security.WHY_BYPASSED),
        unprotected=[row["relname"] for row in await connection.fetch(_UNPROTECTED)],
        revision=await _revision(connection),
        address=own["address"],
        is_encrypted=bool(own["is_encrypted"]),
        clock_off=(own["clock"] - (before + (after - before) / 2)).total_seconds(),
        processes=processes["processes"],
        workers=processes["workers"],
    )


async def _revision(connection: Any) -> str | None:
    try:
        revision: str | None = await connection.fetchval(revisions.CURRENT)
    except asyncpg.UndefinedTableError:
        return None
    return revision
