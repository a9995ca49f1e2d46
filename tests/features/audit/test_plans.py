"""A page costs the same however much has happened: an index gives it in its order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.accounts.models import SystemRole
from tests.databases import Server
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_workspace
from tests.plans import plan_of

pytestmark = pytest.mark.anyio

NUMBER = 8_000
HAPPENED = f"""
    SELECT gen_random_uuid() AS id, CASE n % 200 WHEN 0 THEN 'task.made' ELSE 'task.updated' END AS type,
        lpad(to_hex(n % 1000), 32, '0')::uuid AS subject_id, lpad(to_hex(n % 300), 32, '0')::uuid AS actor_id,
        'r' AS request_id, now() - n * interval '1 minute' AS at, n
    FROM generate_series(100, {NUMBER}) AS n
"""
FILTERS: list[tuple[dict[str, Any], str]] = [
    # and the index that is used
    ({}, "at"),
    ({"actor_id": f"{7:032x}"}, "actor_id_at"),
    ({"type": "task.made"}, "type_at"),
    ({"at_before": (datetime.now(UTC) - timedelta(days=2)).isoformat()}, "at"),
    ({"at_after": "2020-01-01T00:00:00Z", "sort": "at"}, "at"),
]


@pytest.fixture
async def admin(committing_callers: Callers, server: Server) -> Caller:
    """Of an installation in which much has happened, in two workspaces."""
    admin = await committing_callers.user(SystemRole.ADMIN)
    for _ in range(2):
        workspace = await make_workspace(admin)
        await write(
            committing_callers.database,
            "INSERT INTO workspace_events (workspace_id, seq, id, type, subject_id, actor_id, request_id, at)"
            f" SELECT '{workspace['id']}', n, id, type, subject_id, actor_id, request_id, at FROM",
        )
    await write(
        committing_callers.database,
        "INSERT INTO installation_events (id, type, subject_id, actor_id, request_id, at)"
        " SELECT id, type, subject_id, actor_id, request_id, at FROM",
    )
    await server.execute("ANALYZE", database=committing_callers.database.engine.url.database)
    return admin


async def write(database: Database, statement: str) -> None:
    async with database.system_transaction() as session:
        await session.execute(text(f"{statement} ({HAPPENED}) AS happened"))


@pytest.mark.parametrize("place", ["workspace", "installation"])
async def test_each_filter_has_its_index(admin: Caller, committing_callers: Callers, place: str) -> None:
    workspaces = (await admin.get("/workspaces")).json()["items"]
    path = f"/workspaces/{workspaces[0]['id']}/audit" if place == "workspace" else "/audit"
    scope, key = ("workspace_id_", "seq") if place == "workspace" else ("", "id")
    for query, name in FILTERS:
        cursor = (await admin.get(path, **query, limit=2)).json()["next_cursor"]
        plan = await plan_of(committing_callers.database, admin, path, **query, limit=2, cursor=cursor)
        assert f"using ix_{place}_events_{scope}{name}_{key} on" in plan, plan
        assert "Sort" not in plan, plan
        assert f"Seq Scan on {place}_events" not in plan, plan
    by_subject = await plan_of(committing_callers.database, admin, path, subject_id=f"{11:032x}")
    assert f"ix_{place}_events_{scope}subject_id" in by_subject
    assert f"Seq Scan on {place}_events" not in by_subject
