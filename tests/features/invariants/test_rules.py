import json
import logging
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.jobs import Nothing, Work
from glasswork.core.telemetry.lines import JsonFormatter
from glasswork.core.telemetry.metrics import Metrics
from glasswork.features.invariants.jobs import CHECK_INVARIANTS
from glasswork.features.invariants.models import Rule
from glasswork.features.invariants.repository import MOST, NEWEST, STATEMENTS
from tests.databases import Server
from tests.factories.callers import Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace
from tests.factories.work import make_work

pytestmark = pytest.mark.anyio

JOB = """
    INSERT INTO jobs.pgqueuer (priority, status, entrypoint, updated, heartbeat)
    VALUES (0, {0}, 'test', {1}, {1})
"""
BROKEN_BY = {
    Rule.CHANGE_WITHOUT_EVENT: "DELETE FROM workspace_events WHERE type = 'task.created'",
    Rule.EVENT_WITHOUT_CHANGE: "DELETE FROM tasks",
    Rule.EVENT_MISSING_IN_SEQUENCE: "DELETE FROM workspace_events WHERE seq = 2",
    Rule.EVENT_COUNTER_OFF: "UPDATE event_counters SET last_seq = last_seq + 1",
    Rule.TASK_WITHOUT_PROJECT: "DELETE FROM projects",
    Rule.TASK_NUMBER_AHEAD: "UPDATE projects SET last_number = 0",
    Rule.COMPLETION_OFF: "UPDATE tasks SET completed_at = now()",
    Rule.LABEL_OF_OTHER_PROJECT: "UPDATE labels SET project_id = gen_random_uuid()",
    Rule.WORKSPACE_WITHOUT_OWNER: "UPDATE memberships SET removed_at = now()",
    Rule.JOB_DEAD_UNSEEN: JOB.format("'failed'", "now() - interval '25 hours'"),
    Rule.JOB_ABANDONED: JOB.format("'picked'", "now() - interval '61 minutes'"),
}
FINE = (JOB.format("'failed'", "now() - interval '23 hours'"), JOB.format("'picked'", "now()"))


@dataclass
class World:
    database: Database
    metrics: Metrics
    work: Work
    server: Server

    async def break_by(self, statement: str) -> None:
        """As no program of ours could: without foreign keys."""
        name = self.database.engine.url.database
        await self.server.execute(f"SET session_replication_role = replica; {statement}", database=name)

    async def check(self) -> dict[Rule, float | None]:
        await CHECK_INVARIANTS.run(self.work, Nothing())
        return {rule: self.value("violations", rule) for rule in Rule}

    def value(self, name: str, rule: Rule) -> float | None:
        return self.metrics.registry.get_sample_value(f"glasswork_invariant_{name}", {"rule": rule})


@pytest.fixture
async def world(committing_app: FastAPI, committing_callers: Callers, server: Server) -> World:
    """One in which everything holds, with something of everything."""
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    project = await make_project(owner, workspace)
    label = await make_label(owner, project)
    task = await make_task(owner, project, label_ids=[label["id"]])
    done: dict[str, Any] = await make_task(owner, project)
    await owner.put(f"/tasks/{done['id']}/completion")
    await owner.delete(f"/tasks/{done['id']}")
    await owner.patch(f"/tasks/{task['id']}", {"title": "Another"})
    state = committing_app.state
    metrics = Metrics()
    work = make_work(committing_app, state.database, metrics=metrics)
    return World(state.database, metrics, work, server)


async def test_what_the_api_made_breaks_none(world: World) -> None:
    for statement in FINE:
        await world.break_by(statement)
    assert await world.check() == dict.fromkeys(Rule, 0)


@pytest.mark.parametrize("rule", Rule)
async def test_each_is_found_broken(world: World, rule: Rule) -> None:
    await world.break_by(BROKEN_BY[rule])
    assert (await world.check())[rule]


async def test_a_violation_is_told_with_examples_until_it_is_gone(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.break_by("UPDATE memberships SET removed_at = now()")
    with caplog.at_level(logging.INFO):
        assert (await world.check())[Rule.WORKSPACE_WITHOUT_OWNER] == 1
    async with world.database.reading() as session:
        workspace_id = await session.scalar(text("SELECT id::text FROM workspaces"))
    (line,) = [json.loads(JsonFormatter({}).format(record)) for record in caplog.records]
    assert (line["event"], line["level"], line["rule"], line["found"], line["examples"]) == (
        *("invariant.violated", "error", "workspace_without_owner", 1),
        workspace_id,
    )
    await world.break_by("UPDATE memberships SET removed_at = NULL")
    assert (await world.check())[Rule.WORKSPACE_WITHOUT_OWNER] == 0


class TestSlow:
    @pytest.fixture
    def committing_app(self, own_app: FastAPI) -> FastAPI:
        return own_app

    @pytest.mark.slow
    async def test_one_that_the_database_does_not_answer_leaves_the_others_checked(
        self, world: World
    ) -> None:
        await world.check()
        before = {rule: world.value("checked_timestamp_seconds", rule) or 0 for rule in Rule}
        await world.break_by("ALTER TABLE memberships RENAME TO away")
        await world.break_by("CREATE VIEW memberships AS SELECT away.* FROM away, pg_sleep(6)")
        await world.break_by("GRANT SELECT ON memberships TO PUBLIC")
        await world.check()
        after = {rule: world.value("checked_timestamp_seconds", rule) or 0 for rule in Rule}
        assert {rule for rule in Rule if after[rule] == before[rule]} == {Rule.WORKSPACE_WITHOUT_OWNER}


@pytest.mark.parametrize("rule", Rule)
async def test_none_can_write(world: World, rule: Rule) -> None:
    async with world.database.transaction() as session:
        await session.execute(text("SET TRANSACTION READ ONLY"))
        await session.execute(STATEMENTS[rule], {"newest": NEWEST, "most": MOST})
