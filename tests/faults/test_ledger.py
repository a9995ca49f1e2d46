"""What was acknowledged is there, once and whole, whatever is killed; and each planted fault is found."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from tests.processes import PROGRAM

from . import plants
from .audit import Fault
from .running import open_run
from .site import BLOWS, Blow

SECONDS = float(os.environ.get("LEDGER_SECONDS", "30"))
ROUNDS = 20
"""In which a planted fault must be found."""

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900 + 3 * SECONDS)]


@pytest.mark.slow
async def test_what_is_acknowledged_is_there_once_whatever_is_killed(
    rng: Random, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with open_run(tmp_path, rng, [PROGRAM], places=2) as run:
        await run.write(BLOWS, SECONDS)
        await run.settle()
        request.node.add_report_section("call", "ledger", run.summary())
        assert [str(finding) for finding in await run.findings()] == []
        await run.check_copy()


API, POSTGRES = [("api",)], [("postgres",)]
LAZY = {
    "synchronous_commit": "off",
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "1GB",
    "wal_buffers": "64MB",
}
"""What is committed is written seconds later, so that at any rate of writes a kill loses some."""
SLOW = {"commit_delay": "20000", "commit_siblings": "0"}
"""Each commit takes 20 ms more, so that a kill hits some."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("plant", "settings", "blows", "fault"),
    [
        (plants.answer_before_the_commit, {}, API, Fault.LOST),
        (None, LAZY, POSTGRES, Fault.LOST),
        (plants.keep_no_key, SLOW, API, Fault.DOUBLED),
        (plants.order_jobs_after_the_commit, SLOW, API, Fault.UNDONE),
        (plants.store_events_after_the_commit, SLOW, API, Fault.UNTOLD),
        (plants.compare_versions_before_the_lock, {}, [], Fault.OVERWRITTEN),
    ],
    ids=["answer", "laziness", "key", "jobs", "events", "versions"],
)
async def test_a_planted_fault_is_found(
    plant: Callable[[], None] | None,
    settings: dict[str, str],
    blows: Sequence[Blow],
    fault: Fault,
    rng: Random,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    program = [sys.executable, "-m", plants.__name__, plant.__name__] if plant else [PROGRAM]
    async with open_run(tmp_path, rng, program, places=1, **settings) as run:
        for _ in range(ROUNDS):
            await run.write(blows)
            await run.settle()
            if found := [str(each) for each in await run.findings() if each.fault is fault]:
                request.node.add_report_section("call", "found", f"{found[0]}\n{run.summary()}")
                return
        raise AssertionError(run.summary())
