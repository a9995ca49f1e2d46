"""A page of a workspace or a task costs the same however much else has happened."""

from dataclasses import dataclass

import pytest
from sqlalchemy import text

from tests.databases import Server
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_comment, make_project, make_task, make_workspace
from tests.plans import plan_of

pytestmark = pytest.mark.anyio

HAPPENED = """
    INSERT INTO workspace_events (workspace_id, seq, id, type, subject_id, actor_id, request_id, at)
    SELECT :workspace_id, n, gen_random_uuid(), CASE n % 200 WHEN 0 THEN 'task.made' ELSE 'task.updated' END,
        lpad(to_hex(n % 1000), 32, '0')::uuid, lpad(to_hex(n % 300), 32, '0')::uuid, 'r',
        now() - n * interval '1 minute'
    FROM generate_series(100, 8000) AS n
"""


@dataclass
class Place:
    owner: Caller
    workspace: str
    project: str
    task: str


@pytest.fixture
async def place(committing_callers: Callers, server: Server) -> Place:
    """With a task that has a comment, where much else has happened."""
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    project = await make_project(owner, workspace)
    task = await make_task(owner, project)
    await make_comment(owner, task)
    async with committing_callers.database.system_transaction() as session:
        await session.execute(text(HAPPENED), {"workspace_id": workspace["id"]})
    await server.execute("ANALYZE", database=committing_callers.database.engine.url.database)
    ids = {"workspaces": workspace["id"], "projects": project["id"], "tasks": task["id"]}
    return Place(owner, *(f"/{kind}/{id_}/activity" for kind, id_ in ids.items()))


async def test_of_a_workspace_each_filter_has_its_index(committing_callers: Callers, place: Place) -> None:
    for query, name in (
        ({}, "at"),
        ({"actor_id": f"{7:032x}"}, "actor_id_at"),
        ({"type": "task.made"}, "type_at"),
        ({"at_after": "2020-01-01T00:00:00Z", "sort": "at"}, "at"),
    ):
        cursor = (await place.owner.get(place.workspace, **query, limit=2)).json()["next_cursor"]
        plan = await plan_of(
            committing_callers.database, place.owner, place.workspace, **query, limit=2, cursor=cursor
        )
        assert f"using ix_workspace_events_workspace_id_{name}_seq on" in plan, plan
        assert "Sort" not in plan, plan
        assert "Seq Scan on workspace_events" not in plan, plan


async def test_of_a_task_and_of_a_project_the_events_are_found_by_what_they_are_about(
    committing_callers: Callers, place: Place
) -> None:
    for path in (place.task, place.project):
        plan = await plan_of(committing_callers.database, place.owner, path)
        assert "using ix_workspace_events_workspace_id_subject_id_seq on" in plan, plan
        assert "ix_workspace_events_gone_from" in plan, plan
        assert "ix_workspace_events_gone_to" in plan, plan
        assert "Seq Scan on workspace_events" not in plan, plan
