"""The content of the database, to be compared."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def snapshot(connection: AsyncConnection) -> dict[str, str]:
    """Return the content of every table, as a hash."""
    tables = await connection.scalars(_TABLES)
    rows = await connection.execute(text(" UNION ALL ".join(map(_hash, tables))))
    return {row[0]: row[1] for row in rows}


async def writes(connection: AsyncConnection) -> int:
    """Count the rows that the open transaction has written: as long as it stays, a snapshot would too."""
    return int((await connection.execute(_WRITES)).scalar_one())


def _hash(table: str) -> str:
    # That a token was used is no change.
    uses = "last_used_at,version" if table == "public.api_tokens" else ""
    row = f"(to_jsonb(t) - CAST('{{{uses}}}' AS text[]))::text"
    return f"SELECT '{table}', md5(string_agg({row}, ' ' ORDER BY {row})) FROM {table} AS t"


_WRITES = text("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables")
_TABLES = text(
    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
    " WHERE schemaname IN ('public', 'jobs') ORDER BY 1"
)
