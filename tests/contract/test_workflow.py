"""Walks along the links, as four people; `uv run task contract-long` takes half an hour, or FUZZ_SECONDS."""

import asyncio
import os
from collections.abc import Iterator
from itertools import count
from time import monotonic

import pytest
from httpx2 import AsyncClient
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from glasswork.core.db import Database, create_engine
from glasswork.core.settings import Settings
from glasswork.core.tokens import Keys
from glasswork.worker import SUBSCRIBERS
from tests.factories.callers import Callers

from .workflow import IDENTITIES, Crowd, Workflow

SETTINGS = settings(Workflow.TestCase.settings, max_examples=2, stateful_step_count=30, database=None)


@pytest.fixture
def crowd(live_settings: Settings) -> Iterator[Crowd]:
    url = live_settings.database_url.get_secret_value()
    with asyncio.Runner() as runner:
        engine = create_engine(url, pool_size=1)
        yield Crowd(runner, Callers(AsyncClient(), Database(engine, SUBSCRIBERS), Keys.of(live_settings)))
        runner.run(engine.dispose())


@pytest.mark.acceptance
@pytest.mark.slow
@pytest.mark.timeout(0)
def test_no_walk_along_the_links_breaks_the_contract(live: str, crowd: Crowd) -> None:
    end = monotonic() + float(os.environ.get("FUZZ_SECONDS", "60"))
    walkers = [
        type(identity, (Workflow,), {"base_url": live, "identity": identity, "crowd": crowd})
        for identity in IDENTITIES
    ]
    for number in count():
        for walker in walkers:
            if monotonic() > end:
                return
            run_state_machine_as_test(seed(number)(walker), settings=SETTINGS)
