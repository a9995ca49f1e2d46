from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task

pytestmark = pytest.mark.anyio

EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"
"""A day and an hour apart: in one of them it is not the day that it is in UTC."""


async def summary_of(caller: Caller, project: dict[str, Any], **query: Any) -> dict[str, Any]:
    answer = await caller.get(f"/projects/{project['id']}/summary", **query)
    assert answer.status_code == 200, answer.text
    summary: dict[str, Any] = answer.json()
    return summary


async def test_is_not_for_outsiders(owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
    path = f"/projects/{project['id']}/summary"
    assert (await (await callers.user()).get(path)).status_code == 404
    assert (await owner.get(f"/projects/{uuid7()}/summary")).status_code == 404
    assert (await owner.get(path)).status_code == 200


async def test_refuses_an_unknown_zone(owner: Caller, project: dict[str, Any]) -> None:
    answer = await owner.get(f"/projects/{project['id']}/summary", time_zone="Mars/Olympus")
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["errors"][0]["code"] == "unknown_time_zone"


async def test_of_nothing_is_all_zero(owner: Caller, project: dict[str, Any]) -> None:
    assert await summary_of(owner, project) == {
        "count": 0,
        "open": 0,
        "overdue": 0,
        "due_today": 0,
        "unassigned": 0,
        "estimate_minutes": 0,
        "open_estimate_minutes": 0,
        "by_status": [
            {"status": "todo", "category": "todo", "count": 0},
            {"status": "in_progress", "category": "in_progress", "count": 0},
            {"status": "done", "category": "done", "count": 0},
        ],
        "by_category": {"todo": 0, "in_progress": 0, "done": 0},
        "by_priority": {"none": 0, "low": 0, "medium": 0, "high": 0, "urgent": 0},
        "by_assignee": [],
    }


async def test_counts(
    owner: Caller, callers: Callers, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    member = str((await callers.member(workspace["id"], Role.MEMBER)).id)
    past = "2026-01-01T00:00:00Z"
    await make_task(owner, project, due_at=past, priority="high", assignee_id=member, estimate_minutes=10)
    await make_task(owner, project, due_at=past, status="done", assignee_id=member, estimate_minutes=5)
    await make_task(owner, project, status="in_progress", assignee_id=str(owner.id), priority="high")
    await make_task(owner, project, due_at="2199-01-01T00:00:00Z", estimate_minutes=1)
    deleted, archived = [await make_task(owner, project, due_at=past, estimate_minutes=100) for _ in "ab"]
    await owner.delete(f"/tasks/{deleted['id']}")
    async with callers.database.system_transaction() as session:
        statement = text("UPDATE tasks SET archived_at = now() WHERE id = :id")
        await session.execute(statement, {"id": archived["id"]})
    await make_task(owner, await make_project(owner, workspace))
    assert await summary_of(owner, project) == {
        "count": 4,
        "open": 3,
        "overdue": 1,
        "due_today": 0,
        "unassigned": 1,
        "estimate_minutes": 16,
        "open_estimate_minutes": 11,
        "by_status": [
            {"status": "todo", "category": "todo", "count": 2},
            {"status": "in_progress", "category": "in_progress", "count": 1},
            {"status": "done", "category": "done", "count": 1},
        ],
        "by_category": {"todo": 2, "in_progress": 1, "done": 1},
        "by_priority": {"none": 2, "low": 0, "medium": 0, "high": 2, "urgent": 0},
        "by_assignee": [
            {"assignee_id": member, "count": 2},
            {"assignee_id": str(owner.id), "count": 1},
        ],
    }


@pytest.mark.parametrize("zone", [EAST, WEST, "UTC"])
async def test_knows_what_day_it_is_there(owner: Caller, project: dict[str, Any], zone: str) -> None:
    noon = datetime.now(ZoneInfo(zone)).replace(hour=12, minute=0)
    for days in (-1, -1, 0, 1, 1):
        await make_task(owner, project, due_at=(noon + timedelta(days=days)).isoformat())
    await make_task(owner, project, due_at=noon.isoformat(), status="done")
    assert (await summary_of(owner, project, time_zone=zone))["due_today"] == 1
