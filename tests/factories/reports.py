"""Reports: ordered, and made in a moment, without numbers that are computed or charts that are drawn."""

from typing import Any
from uuid import UUID

from glasswork.core.db import Database
from glasswork.features.reports.models import ChartKind, Report, ReportChart

from .callers import Caller

PERIOD = {"first_day": "2026-03-02", "last_day": "2026-03-11", "time_zone": "Europe/Berlin"}
_NO_TIMES = {"count": 0, "p50": None, "p85": None, "p95": None}
_NUMBERS = {
    "as_of": "2026-03-12T00:00:00Z",
    "burn_up": [],
    "cumulative_flow": [],
    "cycle_time": {"cycle": _NO_TIMES, "lead": _NO_TIMES, "tasks": []},
    "throughput": [],
    "workload": [],
}


async def order_report(member: Caller, place: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Of a project, or of a workspace."""
    kind = "projects" if "workspace_id" in place else "workspaces"
    answer = await member.post(f"/{kind}/{place['id']}/reports", PERIOD | fields)
    assert answer.status_code == 202, answer.text
    ordered: dict[str, Any] = answer.json()
    return ordered


async def make_report(database: Database, member: Caller, project: dict[str, Any]) -> dict[str, Any]:
    answer = await member.post(f"/projects/{project['id']}/reports", PERIOD)
    ordered: dict[str, Any] = answer.json()
    name = (await member.get(f"/projects/{project['id']}")).json()["name"]
    async with database.system_transaction() as session:
        report = await session.get_one(
            Report, {"workspace_id": UUID(ordered["workspace_id"]), "id": UUID(ordered["id"])}
        )
        report.complete(_NUMBERS, report.created_at)
        session.add_all(
            ReportChart(
                workspace_id=report.workspace_id,
                report_id=report.id,
                kind=kind,
                svg=f"<svg xmlns='http://www.w3.org/2000/svg'><text>{name}</text></svg>",
                png=b"\x89PNG",
            )
            for kind in ChartKind
        )
    return ordered
