"""The statements alone: with a serving role that no policy holds, the matrix is the same."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import RolledBackDatabase, open_engine, undone
from tests.databases import UNHELD, Server
from tests.factories.callers import Callers

from .foreign import of_strangers
from .holes import STRANGERS, foreign_writes, without_joins
from .matrix import World
from .references import Stage
from .slots import Call
from .walker import operations

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("acme")]

ASKED_TWICE = {"transfer_workspace", "get_calendar_feed", "delete_calendar_feed"}
"""They also need the caller's own row among the members, or are for who has made it."""
NEEDS_NO_TOTP = {"confirm_totp"}


@pytest.fixture(scope="session")
async def engine(server: Server) -> AsyncIterator[AsyncEngine]:
    async with open_engine(server, UNHELD) as engine:
        yield engine


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_everybody_is_answered_as_is_due(
    app: FastAPI, callers: Callers, database: RolledBackDatabase
) -> None:
    world = await World.make(database.connection, callers)
    concerned = [operation for operation in operations(app) if operation.name not in NEEDS_NO_TOTP]
    found = {operation.name: await world.deviations(operation) for operation in concerned}
    assert {name: deviations for name, deviations in found.items() if deviations} == {}


@pytest.mark.slow
async def test_a_hole_in_it_lets_strangers_in(
    app: FastAPI, callers: Callers, database: RolledBackDatabase
) -> None:
    """So that the second line has something to stop."""
    world = await World.make(database.connection, callers)
    callers.client.event_hooks = {}  # what the document declares, it does with the joins
    with without_joins(database, world.owner.id):
        attempts = [await world.attempt(operation, STRANGERS[0]) for operation in foreign_writes(app)]
    assert sum(bool(changed) for _, changed in attempts) > 25


@pytest.mark.slow
async def test_an_operation_that_no_longer_asks_for_the_membership_is_noticed(
    app: FastAPI, callers: Callers, database: RolledBackDatabase
) -> None:
    stage = await Stage.make(callers)
    foreign = await of_strangers(callers, stage.owner, stage.own)
    owner = text("SELECT created_by FROM workspaces WHERE id = :workspace_id")
    owner_id = await database.connection.scalar(owner, {"workspace_id": foreign["workspace_id"]})
    unnoticed = {call.name for call in Call.all(app) if call.is_in_workspace} - ASKED_TWICE
    callers.client.event_hooks = {}
    with without_joins(database, owner_id):
        for attempt in stage.attempts(app, foreign, "of_strangers"):
            if attempt.call.name in unnoticed:
                async with undone(database.connection):
                    answer = await stage.send(attempt.request, attempt.bearer)
                if attempt.fault(answer, stage.own, foreign):
                    unnoticed.remove(attempt.call.name)
    assert unnoticed == set()
