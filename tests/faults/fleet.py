"""The real processes, which are killed and replaced while they are used."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from enum import Enum
from pathlib import Path
from random import Random

from glasswork.core.db import Database
from tests.conftest import SECRET
from tests.processes import PROGRAM, QUIET, Serving

from .settling import until_working
from .wire import Wire, open_wire

STOP_SECONDS = 20
"""In which a process that is told to stop has done so; a worker has 10 for what it has in hand."""

PLACES = (0, 1)
"""At each of them is an API, and a worker."""


class Moment(Enum):
    """When a process is killed."""

    ANY = "any"
    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"


class Fleet:
    def __init__(self, data_dir: Path, environment: Mapping[str, str], wires: list[tuple[Wire, str]]) -> None:
        self._data_dir = data_dir
        self._environment = environment
        self._api_wires, self._worker_wires = wires[: len(PLACES)], wires[len(PLACES) :]
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
        environment = {**self._environment, "DATABASE_URL": self._api_wires[place][1]}
        serving = Serving(self._data_dir, "--no-worker", **environment)
        self._apis[place] = await asyncio.to_thread(self._stack.enter_context, serving)
        self._is_up.set()

    async def stop_api(self, place: int, by: signal.Signals = signal.SIGTERM) -> int:
        """Return the exit code."""
        serving = self._apis.pop(place)
        if not self._apis:
            self._is_up.clear()
        return await asyncio.to_thread(serving.stop, by)

    async def kill_api(self, place: int, moment: Moment) -> None:
        if moment is not Moment.ANY:
            wire, kill = self._api_wires[place][0], self._apis[place].process.kill
            await wire.trap(kill, 0, lets_pass=moment is Moment.AFTER_COMMIT)
        await self.stop_api(place, signal.SIGKILL)

    def start_worker(self, place: int) -> None:
        environment = {**self._environment, "DATABASE_URL": self._worker_wires[place][1]}
        command = [PROGRAM, "worker", "--data-dir", str(self._data_dir)]
        process = subprocess.Popen(command, env=os.environ | QUIET | environment)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        self._workers[place] = process

    async def stop_worker(self, place: int, by: signal.Signals = signal.SIGTERM) -> int:
        """Return the exit code."""
        process = self._workers.pop(place)
        process.send_signal(by)
        return await asyncio.to_thread(process.wait, STOP_SECONDS)

    async def kill_worker(self, place: int, moment: Moment) -> None:
        if moment is not Moment.ANY:
            wire, kill = self._worker_wires[place][0], self._workers[place].kill
            # Of the two commits of a welcome the second one is the letter's.
            await wire.trap(kill, 1, lets_pass=moment is Moment.AFTER_COMMIT)
        await self.stop_worker(place, signal.SIGKILL)

    def close(self) -> None:
        self._stack.close()


@asynccontextmanager
async def open_fleet(data_dir: Path, database: Database, **environment: str) -> AsyncIterator[Fleet]:
    environment |= {"JWT_SECRET": SECRET, "RATE_LIMIT_ENABLED": "false"}
    if sys.dont_write_bytecode:
        # Or a restart would spend most of its time on compiling what was compiled before.
        environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(data_dir)}
    url = database.engine.url.render_as_string(hide_password=False)
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(open_wire(url)) for _ in (*PLACES, *PLACES)]
        fleet = Fleet(data_dir, environment, wires)
        stack.push_async_callback(asyncio.to_thread, fleet.close)
        for place in PLACES:
            fleet.start_worker(place)
        await asyncio.gather(*(fleet.start_api(place) for place in PLACES))
        await until_working(database, len(PLACES))
        yield fleet
