"""A floor under all of it: CPU of the app, in times what the bare app takes; no clock is read."""

import gc
from statistics import median
from time import process_time
from typing import Any

import pytest
from journeys import READS
from straight import ask

from .conftest import Bench

pytestmark = [pytest.mark.anyio, pytest.mark.long, pytest.mark.xdist_group("bench")]

ROUNDS, REQUESTS = 7, 40
MOST = {"get": 6, "list": 4}
"""Twice what it is."""


@pytest.mark.parametrize("name", MOST)
async def test_the_app_is_not_many_times_the_bare_one(bench: Bench, name: str) -> None:
    journey = next(journey for journey in READS if journey.name == name)
    paths = [each.path for each in journey.requests(bench.place, bench.recording.fingerprint)[:REQUESTS]]
    gc.freeze()
    ratios = []
    for _ in range(ROUNDS):
        own, least = [await cpu(app, paths, bench.token) for app in (bench.asked.app, bench.bare)]
        ratios.append(own / least)
    assert median(ratios) <= MOST[name], ratios


async def cpu(app: Any, paths: list[str], token: str) -> float:
    """Seconds of this process."""
    began = process_time()
    for path in paths:
        await ask(app, path, token)
    return process_time() - began
