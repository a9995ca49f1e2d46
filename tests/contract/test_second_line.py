"""PostgreSQL's policies alone: strangers change nothing, although the statements let them in."""

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from tests.conftest import RolledBackDatabase
from tests.factories.callers import Callers

from .holes import STRANGERS, foreign_writes, without_joins
from .matrix import MARK, World

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("acme")]


async def test_no_write_of_a_stranger_changes_anything(
    app: FastAPI, callers: Callers, database: RolledBackDatabase
) -> None:
    world = await World.make(database.connection, callers)
    async with callers.database.system_transaction() as session:
        # All of this is one transaction, and who leaves in it still belongs to the workspace.
        await session.execute(text("UPDATE memberships SET removed_at = removed_at - interval '1 s'"))
    world = await world.as_it_is_now()
    found = {}
    with without_joins(database, world.owner.id):
        for operation in foreign_writes(app):
            for person in STRANGERS:
                answer, changed = await world.attempt(operation, person)
                is_shown = MARK in answer.text
                found[operation.name, person] = (answer.status_code, changed, is_shown)
    harmed = {who: outcome for who, outcome in found.items() if outcome[1] or outcome[2]}
    assert harmed == {}
    assert len(found) > 100


async def test_a_policy_that_refuses_answers_like_nothing_there(
    app: FastAPI, callers: Callers, database: RolledBackDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    world = await World.make(database.connection, callers)
    operation = next(each for each in foreign_writes(app) if each.name == "create_workspace_label")
    with without_joins(database, world.owner.id):
        answer, changed = await world.attempt(operation, "outsider")
    assert (answer.status_code, changed) == (404, [])
    assert answer.json()["error"].keys() >= {"code", "message", "details", "request_id"}
    assert answer.json()["error"]["code"] == "NOT_FOUND"
    assert "row_security.refused" in caplog.text
