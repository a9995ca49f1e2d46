"""The statements alone: with a serving role that no policy holds, the matrix is the same."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import RolledBackDatabase, open_engine
from tests.databases import UNHELD, Server
from tests.factories.callers import Callers

from .holes import STRANGERS, foreign_writes, without_joins
from .matrix import World
from .walker import operations

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("acme")]

NEEDS_NO_TOTP = {"confirm_totp"}


@pytest.fixture(scope="session")
async def engine(server: Server) -> AsyncIterator[AsyncEngine]:
    async with open_engine(server, UNHELD) as engine:
        yield engine


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_everybody_is_answered_as_is_due(
    app: FastAPI, callers: Callers, database: RolledBackDatabase
) -> None:
    world = await World.make(database.connection, callers)
    concerned = [operation for operation in operations(app) if operation.name not in NEEDS_NO_TOTP]
    found = {operation.name: await world.deviations(operation) for operation in concerned}
    assert {name: deviations for name, deviations in found.items() if deviations} == {}


async def test_a_hole_in_it_lets_strangers_in(
    app: FastAPI, callers: Callers, database: RolledBackDatabase
) -> None:
    """So that the second line has something to stop."""
    world = await World.make(database.connection, callers)
    with without_joins(database, world.owner.id):
        attempts = [await world.attempt(operation, STRANGERS[0]) for operation in foreign_writes(app)]
    assert sum(bool(changed) for _, changed in attempts) > 25
