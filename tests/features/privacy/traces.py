"""Everything that the database holds, as text."""

from sqlalchemy import text

from glasswork.core.db import Database


async def tables_that_hold(database: Database, word: str) -> set[str]:
    """Return the tables with a row in which the word stands, whatever its case."""
    async with database.reading() as session:
        tables = await session.scalars(
            text(
                "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
                " WHERE table_schema IN ('public', 'jobs')"
            )
        )
        found = set()
        for table in tables.all():
            dump = await session.scalars(text(f"SELECT to_jsonb(row)::text FROM {table} AS row"))
            if any(word.lower() in row.lower() for row in dump):
                found.add(table.removeprefix("public."))
    return found
