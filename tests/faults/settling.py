"""How long faults go on, and what must have come to an end before anything is counted."""

import asyncio
import os

from glasswork.core.db import Database
from tests.core.runners import fetch

SECONDS = float(os.environ.get("FAULT_SECONDS", "20"))
SETTLE_SECONDS = 60

IN_HAND = "EXISTS (SELECT FROM jobs.pgqueuer WHERE status = 'picked')"


async def until(database: Database, condition: str, **binds: object) -> None:
    """Wait for what the database can see."""
    question = f"SELECT {condition} AS holds"
    async with asyncio.timeout(SETTLE_SECONDS):
        # Other processes set no Event of ours.
        while not (await fetch(database, question, **binds))[0]["holds"]:
            await asyncio.sleep(0.05)


async def until_working(database: Database, workers: int) -> None:
    """A worker listens when it has started, and no longer when it has ended."""
    listening = """
        :workers = (
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND starts_with(query, 'LISTEN')
        )
    """
    await until(database, listening, workers=workers)


async def settle(database: Database) -> None:
    """Wait for the transactions of those who were killed, and then for all jobs that are not dead."""
    (row,) = await fetch(database, "SELECT now() AS now")
    begun = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND xact_start < :now"
    await until(database, f"NOT EXISTS ({begun})", now=row["now"])
    await until(database, "NOT EXISTS (SELECT FROM jobs.pgqueuer WHERE status <> 'failed')")
