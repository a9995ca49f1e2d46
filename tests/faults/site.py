"""An installation with a PostgreSQL of its own, of which every process can be killed."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import asyncpg

from glasswork.core.database_urls import place_of
from glasswork.core.embedded import DATABASE, EmbeddedPostgres
from tests.processes import Serving, Working, children, command_line, postmaster

SETTINGS = {
    "WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8",
    "HEARTBEAT_SECONDS": "2",
    "RATE_LIMIT_ENABLED": "false",
}
Blow = tuple[str, ...]
"""What is killed at the same moment."""
BLOWS: Sequence[Blow] = (
    *(("api",), ("worker",), ("postgres",), ("backend",)),
    *(("api", "worker"), ("api", "postgres"), ("worker", "postgres"), ("api", "worker", "postgres")),
)
SILENT = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
SETTLE_SECONDS = 300


class Site:
    def __init__(self, data_dir: Path, server: EmbeddedPostgres, program: Sequence[str], places: int) -> None:
        self.kills: Counter[str] = Counter()
        self._data_dir = data_dir
        self._place = place_of(server.url("postgres", DATABASE))
        self._program = program
        self._places = set(range(places))
        self._apis: dict[int, Serving] = {}
        self._workers: dict[int, Working] = {}
        self._in_hand: Sequence[int] = ()
        self.addresses: dict[int, str] = {}
        """Where the APIs answer; one that has just been killed may be among them."""

    def revive(self) -> None:
        """Start what is not there, and return when it is up."""
        with EmbeddedPostgres(self._data_dir):
            pass  # it stays up for the others
        environment = SETTINGS.copy()
        if sys.dont_write_bytecode:
            # Or a restart would spend most of its time on compiling what was compiled before.
            environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self._data_dir)}
        for place in self._places - self._workers.keys():
            self._workers[place] = Working(self._data_dir, program=self._program, **environment)
        started = {
            place: Serving(self._data_dir, "--no-worker", program=self._program, **environment)
            for place in self._places - self._apis.keys()
        }
        for place, api in started.items():
            self._apis[place] = api.__enter__()
            self.addresses[place] = f"{api.base_url}/api/v1"

    async def strike(self, victims: Blow, rng: Random) -> None:
        """Kill them at once, and bring them back.

        What was in hand at the blow before is done first: a job that loses three workers in a row is dead.
        """
        if victims != ("api",):
            await self.until("NOT EXISTS (SELECT FROM jobs.pgqueuer WHERE id = ANY($1))", self._in_hand)
        for victim in victims:
            self._kill(victim, rng)
        self.kills.update(victims)
        await asyncio.to_thread(self.revive)
        if victims != ("api",):
            picked = await self.ask("SELECT id FROM jobs.pgqueuer WHERE status = 'picked'")
            self._in_hand = [row["id"] for row in picked]

    async def ask(self, query: str, *values: object) -> Sequence[Any]:
        """As the superuser; ask again while the database is away."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                with suppress(*SILENT):
                    connection = await asyncpg.connect(**self._place)
                    try:
                        return list(await connection.fetch(query, *values))
                    finally:
                        connection.terminate()
                await asyncio.sleep(0.05)

    async def until(self, condition: str, *values: object) -> None:
        async with asyncio.timeout(SETTLE_SECONDS):
            while not (await self.ask(f"SELECT {condition} AS holds", *values))[0]["holds"]:
                await asyncio.sleep(0.05)  # other processes set no Event of ours

    def end(self) -> None:
        for places in (self._workers, self._apis):
            for place in tuple(places):
                _end(places, place)

    def _kill(self, victim: str, rng: Random) -> None:
        match victim:
            case "api" | "worker":
                _end(self._apis if victim == "api" else self._workers, rng.choice([*self._places]))
            case "postgres":
                server = self._postmaster()
                # First who would stop the others in order.
                for pid in (server, *children(server)):
                    _kill(pid)
            case "backend":
                sessions = [pid for pid in children(self._postmaster()) if "[local]" in command_line(pid)]
                _kill(rng.choice(sessions))

    def _postmaster(self) -> int:
        server = postmaster(self._data_dir)
        assert server is not None
        return server


def _end(processes: MutableMapping[int, Serving] | MutableMapping[int, Working], place: int) -> None:
    killed = processes.pop(place)
    killed.process.kill()
    killed.__exit__(None, None, None)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def open_site(data_dir: Path, program: Sequence[str], places: int) -> Iterator[Site]:
    """At each place are an API and a worker."""
    with EmbeddedPostgres(data_dir) as server:
        site = Site(data_dir, server, program, places)
        try:
            site.revive()
            yield site
        finally:
            site.end()
