"""Who waits for a lock of `glasswork migrate`, looked at fifty times a second."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic

import asyncpg
from stand import plain

EVERY_SECONDS = 0.02
WAITING = """
    SELECT pid, extract(epoch FROM clock_timestamp() - waitstart)::float AS seconds,
        pg_blocking_pids(pid) AS blockers
    FROM pg_locks WHERE NOT granted AND waitstart IS NOT NULL
"""
MIGRATING = "SELECT pid FROM pg_stat_activity WHERE application_name = 'glasswork migrate'"


@dataclass
class Watcher:
    longest: float = 0
    """Seconds that anybody waited for the migration, or for who waited for it."""
    looks: int = 0
    blind: float = 0
    """Seconds of the longest pause between two looks: what began and ended in it was not seen."""

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str) -> AsyncIterator["Watcher"]:
        """Watch the database, as superuser, until the end."""
        watcher = cls()
        connection = await asyncpg.connect(plain(url))
        watching = asyncio.create_task(watcher._watch(connection))
        try:
            yield watcher
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await connection.close()

    async def _watch(self, connection: asyncpg.Connection) -> None:
        last = monotonic()
        while True:
            migrating = {row["pid"] for row in await connection.fetch(MIGRATING)}
            waiting = {row["pid"]: row for row in await connection.fetch(WAITING)}
            held_up = held_up_by(migrating, {pid: set(row["blockers"]) for pid, row in waiting.items()})
            self.longest = max([self.longest, *(waiting[pid]["seconds"] for pid in held_up)])
            now = monotonic()
            self.looks, self.blind, last = self.looks + 1, max(self.blind, now - last), now
            await asyncio.sleep(EVERY_SECONDS)


def held_up_by(migrating: set[int], blockers: Mapping[int, set[int]]) -> set[int]:
    """Return who waits for one of these, or for somebody who does."""
    held_up: set[int] = set()
    while more := {
        pid for pid, by in blockers.items() if pid not in held_up | migrating and by & (held_up | migrating)
    }:
        held_up |= more
    return held_up
