from collections.abc import AsyncIterator
from os import environ
from random import Random
from secrets import token_hex

import pytest

from glasswork.core.db import Database
from glasswork.worker import SUBSCRIBERS
from tests.core.runners import open_clone
from tests.databases import Server


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> Random:
    """FAULT_SEED repeats a run, as far as processes can be made to repeat anything."""
    seed = environ.get("FAULT_SEED") or token_hex(4)
    request.node.add_report_section("setup", "seed", f"FAULT_SEED={seed}")
    return Random(seed)  # noqa: S311 (no secret)


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    """One where commits are commits; it is the processes' too."""
    async with open_clone(server, SUBSCRIBERS) as database:
        yield database
