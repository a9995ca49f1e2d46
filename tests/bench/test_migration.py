"""What `bench/migration.py` sees, and the program with few tasks."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from locks import Watcher, held_up_by
from stand import plain

from tests.data_dirs import empty_data_dir
from tests.databases import OWNER, Server
from tests.last_releases import released, skip_without_migration

PROGRAM = Path(__file__).parents[2] / "bench/migration.py"


@pytest.mark.parametrize(
    ("blockers", "held_up"),
    [
        ({2: {1}}, {2}),
        ({2: {1}, 3: {2}}, {2, 3}),
        ({3: {4}}, set()),
        ({1: {3}}, set()),
        ({1: {3}, 2: {1}}, {2}),
    ],
)
def test_who_waits_for_a_migration(blockers: dict[int, set[int]], held_up: set[int]) -> None:
    assert held_up_by({1}, blockers) == held_up


@pytest.mark.anyio
async def test_a_wait_is_seen_while_it_lasts(server: Server) -> None:
    async with server.clone() as name:
        url = plain(server.url(OWNER, name))
        superuser = server.superuser.set(database=name).render_as_string(hide_password=False)
        migrating = await asyncpg.connect(url, server_settings={"application_name": "glasswork migrate"})
        reading = await asyncpg.connect(url)
        async with Watcher.of(superuser) as watcher:
            await until(watcher, looks=3)
            assert watcher.longest == 0
            async with migrating.transaction():
                await migrating.execute("LOCK tasks")
                waiting = asyncio.create_task(reading.fetch("SELECT FROM tasks"))
                async with asyncio.timeout(20):
                    while watcher.longest < 0.2:
                        await asyncio.sleep(0.02)
            await waiting
        await migrating.close()
        await reading.close()


async def until(watcher: Watcher, looks: int) -> None:
    async with asyncio.timeout(20):
        while watcher.looks < looks:
            await asyncio.sleep(0.02)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_nobody_notices_a_migration() -> None:
    with released() as release:
        skip_without_migration(release)
    with empty_data_dir() as folder:
        ended = subprocess.run(
            [sys.executable, PROGRAM, "--tasks", "20000", "--clients", "4"],
            env=os.environ | {"BENCH_HOME": str(folder)},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "No request failed." in ended.stdout
