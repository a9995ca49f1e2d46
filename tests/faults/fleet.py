"""The real processes, which are killed and replaced while they are used."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from glasswork.core.db import Database
from tests.conftest import SECRET
from tests.processes import PROGRAM, QUIET, Serving

from .settling import until_working

STOP_SECONDS = 20
"""In which a process that is told to stop has done so; a worker has 10 for what it has in hand."""

PLACES = (0, 1)
"""At each of them is an API, and a worker."""


class Fleet:
    def __init__(self, data_dir: Path, environment: dict[str, str]) -> None:
        self._data_dir = data_dir
        self._environment = environment
        self._apis: dict[int, Serving] = {}
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._is_up = asyncio.Event()
        self._stack = ExitStack()

    async def address(self, rng: Random) -> str:
        """Of an API that is up; wait for one where there is none."""
        await self._is_up.wait()
        return rng.choice(list(self._apis.values())).base_url

    async def start_api(self, place: int) -> None:
        """Return when it is up."""
        serving = Serving(self._data_dir, "--no-worker", **self._environment)
        self._apis[place] = await asyncio.to_thread(self._stack.enter_context, serving)
        self._is_up.set()

    async def end_api(self, place: int, by: signal.Signals) -> int:
        """Return the exit code."""
        serving = self._apis.pop(place)
        if not self._apis:
            self._is_up.clear()
        return await asyncio.to_thread(serving.stop, by)

    def start_worker(self, place: int) -> None:
        process = subprocess.Popen(
            [PROGRAM, "worker", "--data-dir", str(self._data_dir)],
            env=os.environ | QUIET | self._environment,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        self._workers[place] = process

    async def end_worker(self, place: int, by: signal.Signals) -> int:
        """Return the exit code."""
        process = self._workers.pop(place)
        process.send_signal(by)
        return await asyncio.to_thread(process.wait, STOP_SECONDS)

    def close(self) -> None:
        self._stack.close()


@asynccontextmanager
async def open_fleet(data_dir: Path, database: Database, **environment: str) -> AsyncIterator[Fleet]:
    url = database.engine.url.render_as_string(hide_password=False)
    environment |= {"DATABASE_URL": url, "JWT_SECRET": SECRET, "RATE_LIMIT_ENABLED": "false"}
    if sys.dont_write_bytecode:
        # Or a restart would spend most of its time on compiling what was compiled before.
        environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(data_dir)}
    fleet = Fleet(data_dir, environment)
    try:
        for place in PLACES:
            fleet.start_worker(place)
        await asyncio.gather(*(fleet.start_api(place) for place in PLACES))
        await until_working(database, len(PLACES))
        yield fleet
    finally:
        await asyncio.to_thread(fleet.close)
