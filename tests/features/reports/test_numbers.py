"""The numbers of a small project, which a person can count, and the three ways in which they are shown."""

from typing import Any

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.reports.jobs import MAKE_REPORT
from glasswork.features.reports.models import ChartKind
from tests.databases import Server
from tests.factories.callers import Caller, Callers
from tests.factories.reports import order_report
from tests.factories.tracker import make_task
from tests.factories.work import work_off

pytestmark = pytest.mark.anyio

Thing = dict[str, Any]


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    """Only the role that owns the database may say when something happened."""
    return committing_callers


class SmallProject:
    """Its tasks do what they do when they are told to have done it: a day of March 2026 and an hour, UTC."""

    def __init__(self, server: Server, database: Database, owner: Caller, project: Thing) -> None:
        self._server = server
        self._database = database.engine.url.database
        self._owner = owner
        self._project = project

    async def make(self, at: str, **fields: Any) -> Thing:
        task = await make_task(self._owner, self._project, **fields)
        await self._date(task, at, "created_at")
        return task

    async def go(self, task: Thing, *steps: tuple[str, str]) -> None:
        for at, status in steps:
            answer = await self._owner.patch(f"/tasks/{task['id']}", {"status": status})
            assert answer.status_code == 200
            await self._date(task, at, "completed_at" if status == "done" else None)

    async def _date(self, task: Thing, at: str, field: str | None) -> None:
        """The task's last event, and what it tells of the time."""
        moment = f"2026-03-{at}:00+00:00"
        last = (
            f"subject_id = '{task['id']}' AND seq ="
            f" (SELECT max(seq) FROM workspace_events WHERE subject_id = '{task['id']}')"
        )
        statements = [f"UPDATE workspace_events SET at = '{moment}' WHERE {last}"]
        if field is not None:
            told = f"jsonb_set(after, '{{{field}}}', to_jsonb('{moment}'::text))"
            statements += [
                f"UPDATE workspace_events SET after = {told} WHERE {last}",
                f"UPDATE tasks SET {field} = '{moment}' WHERE id = '{task['id']}'",
            ]
        await self._server.execute("; ".join(statements), database=self._database)


@pytest.fixture
async def report(
    committing_app: FastAPI, server: Server, callers: Callers, owner: Caller, workspace: Thing, project: Thing
) -> Thing:
    """Of Monday the 2nd to Wednesday the 11th in Berlin, an hour before UTC; made by the job."""
    member = await callers.member(workspace["id"])
    await owner.patch(f"/projects/{project['id']}", {"name": "Pay $5 & <script>"})
    small = SmallProject(server, callers.database, owner, project)
    a = await small.make("01T09:00", title="A", estimate_minutes=60)
    archived = await small.make("02T00:00", title="G")
    b = await small.make("03T08:00", title="B", estimate_minutes=120)
    c = await small.make("04T12:00", title="C")
    await small.make("09T12:00", title="D", estimate_minutes=30, assignee_id=str(member.id))
    e = await small.make("10T12:00", title="E", estimate_minutes=240, assignee_id=str(member.id))
    deleted = await small.make("02T12:00", title="F", estimate_minutes=999)
    await small.go(a, ("02T10:00", "in_progress"), ("04T10:00", "done"))
    await small.go(c, ("06T12:00", "done"))
    await small.go(b, ("05T08:00", "in_progress"), ("05T20:00", "done"), ("06T09:00", "todo"))
    await small.go(b, ("09T09:00", "in_progress"), ("09T23:30", "done"))
    await small.go(e, ("11T08:00", "in_progress"))
    await owner.put(f"/tasks/{archived['id']}/archive")
    await owner.delete(f"/tasks/{deleted['id']}")
    ordered = await order_report(owner, project)
    await work_off(committing_app, callers.database, MAKE_REPORT)
    answer = await owner.get(f"/reports/{ordered['id']}")
    made: Thing = answer.json()
    assert made["status"] == "completed", made
    return made | {"keys": {task["id"]: task["title"] for task in (a, b, c)}, "member": member}


async def test_the_numbers_are_those_that_a_person_counts(owner: Caller, report: Thing) -> None:
    """Each row below is what the dates above say, counted at midnight in Berlin."""
    numbers = report["numbers"]
    assert [list(day.values()) for day in numbers["burn_up"]] == [
        # day, scope, done, and estimated minutes of both
        ["2026-03-02", 2, 0, 60, 0],  # A and G; F is deleted, and was never there
        ["2026-03-03", 3, 0, 180, 0],  # B is made
        ["2026-03-04", 4, 1, 180, 60],  # C is made, A is done
        ["2026-03-05", 4, 2, 180, 180],  # B is done
        ["2026-03-06", 4, 2, 180, 60],  # B is taken up again, C is done
        ["2026-03-07", 4, 2, 180, 60],
        ["2026-03-08", 4, 2, 180, 60],
        ["2026-03-09", 5, 2, 210, 60],  # D is made
        ["2026-03-10", 6, 3, 450, 180],  # half past midnight B is done, later E is made
        ["2026-03-11", 6, 3, 450, 180],
    ]
    assert [list(day.values()) for day in numbers["cumulative_flow"]] == [
        # day, to do, in progress, done
        ["2026-03-02", 1, 1, 0],  # G; A
        ["2026-03-03", 2, 1, 0],  # G, B; A
        ["2026-03-04", 3, 0, 1],  # G, B, C; A
        ["2026-03-05", 2, 0, 2],  # G, C; A, B
        ["2026-03-06", 2, 0, 2],  # G, B; A, C
        ["2026-03-07", 2, 0, 2],
        ["2026-03-08", 2, 0, 2],
        ["2026-03-09", 2, 1, 2],  # G, D; B; A, C
        ["2026-03-10", 3, 0, 3],  # G, D, E; A, B, C
        ["2026-03-11", 2, 1, 3],  # G, D; E; A, B, C
    ]
    times = numbers["cycle_time"]
    found = [
        (report["keys"][task["task_id"]], task["cycle_hours"], task["lead_hours"]) for task in times["tasks"]
    ]
    # A: from the 2nd to the 4th, 10:00, made the 1st, 9:00. C was never in progress.
    # B: from the 5th, 8:00, when it was first in progress, to the 9th, 23:30; made the 3rd, 8:00.
    assert found == [("A", 48, 73), ("C", None, 48), ("B", 111.5, 159.5)]
    assert times["cycle"] == {"count": 2, "p50": 48, "p85": 111.5, "p95": 111.5}
    assert times["lead"] == {"count": 3, "p50": 73, "p85": 159.5, "p95": 159.5}
    assert numbers["throughput"] == [
        {"week": "2026-03-02", "finished": 2, "minutes": 60},
        {"week": "2026-03-09", "finished": 1, "minutes": 120},
    ]
    member = report["member"]
    name = (await member.get("/users/me")).json()["name"]
    workload = {"todo": 1, "in_progress": 1, "estimate_minutes": 270, "without_estimate": 0}
    assert numbers["workload"] == [{"user_id": str(member.id), "name": name} | workload]
    await ensure_shown(owner, report)


async def ensure_shown(owner: Caller, report: Thing) -> None:
    """As charts in two formats, and as one page."""
    path = f"/reports/{report['id']}"
    for kind in ChartKind:
        svg, png = [await owner.get(f"{path}/charts/{kind}.{format_}") for format_ in ("svg", "png")]
        assert svg.headers["Content-Type"] == "image/svg+xml"
        assert "Pay $5 &amp; &lt;script&gt;" in svg.text
        assert png.headers["Content-Type"] == "image/png"
        assert png.content.startswith(b"\x89PNG")
    page = await owner.get(f"{path}/page")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].endswith("sandbox")
    assert page.text.count('<img src="data:image/svg+xml;base64,') == len(ChartKind)
    assert "<h1>Pay $5 &amp; &lt;script&gt;</h1>" in page.text
    assert "<td>111.5</td><td>159.5</td>" in page.text
    assert "<script" not in page.text
