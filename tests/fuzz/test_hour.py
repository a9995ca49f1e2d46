"""No 5xx, ever: a real process is sent everything in turn; `uv run task fuzz` takes an hour, or FUZZ_SECONDS.

FUZZ_SEED is the number of each one's first round: with that of one that failed the same is sent first.
"""

import os
from pathlib import Path
from time import monotonic

import pytest
from fastapi import FastAPI

from tests.contract.slots import Call

from .process import Process, attacked
from .rounds import Rounds, ensure_none

TURN_SECONDS = 10
MOST_GROWN = 150 * 2**20
"""Bytes more than after the first turn of each."""


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_nothing_makes_it_fail(app: FastAPI, database_url: str, data_dir: Path) -> None:
    end = monotonic() + float(os.environ.get("FUZZ_SECONDS", "60"))
    with attacked(database_url, data_dir) as process:
        made = Rounds(process, [*Call.all(app)])
        sources = {
            attack.__name__: attack
            for attack in (made.written, made.bytes, made.frames, made.values, made.phases, made.walks)
        }
        first = int(os.environ.get("FUZZ_SEED", "0"))
        numbers = dict.fromkeys(sources, first)
        memory: list[int] = []
        while not memory or monotonic() < end:
            for source, attack in sources.items():
                turn_end = min(monotonic() + TURN_SECONDS, end)
                while numbers[source] == first or monotonic() < turn_end:
                    try:
                        attack(numbers[source])
                        ensure_none(process.faults())
                    except BaseException as error:
                        error.add_note(f"from {source}: FUZZ_SEED={numbers[source]} uv run task fuzz")
                        raise
                    numbers[source] += 1
            memory.append(process.memory())
        print(_told(process, numbers, memory))  # noqa: T201 (-rP shows it)
        assert memory[-1] - memory[0] < MOST_GROWN


def _told(process: Process, rounds: dict[str, int], memory: list[int]) -> str:
    statuses = process.statuses()
    return (
        f"{rounds}; {statuses.total()} requests, {dict(sorted(statuses.items()))}; connections"
        f" refused: {dict(process.refused())}; MB: {memory[0] / 2**20:.0f} to {memory[-1] / 2**20:.0f}"
    )
