"""Reports: ordered, made by a job, and deleted."""

import signal
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.processes import run_in_child
from glasswork.features.reports.jobs import MAKE_REPORT
from glasswork.features.reports.models import MAX_REPORTS, ChartKind
from glasswork.features.reports.service import ReportMaker
from glasswork.features.workspaces.models import Role
from tests.core.computations import die
from tests.factories.callers import Caller, Callers
from tests.factories.reports import PERIOD, make_report, order_report
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.factories.work import work_off
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

Thing = dict[str, Any]
PARTS = ("", "/page", "/charts/burn_up.svg", "/charts/burn_up.png")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def execute(database: Database, statement: str, **values: Any) -> None:
    async with database.system_transaction() as session:
        await session.execute(text(statement), values)


async def count(database: Database, table: str) -> int:
    async with database.reading() as session:
        number: int = (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
    return number


class TestRefusals:
    @by_role(viewer=403, member=202, admin=202, owner=202)
    @pytest.mark.parametrize("place", ["projects", "workspaces"])
    async def test_to_order_is_for_those_who_work_there(
        self, callers: Callers, workspace: Thing, project: Thing, place: str, role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        of = project if place == "projects" else workspace
        assert (await caller.post(f"/{place}/{of['id']}/reports", PERIOD)).status_code == status

    @pytest.mark.parametrize(
        ("field", "value", "refusal"),
        [
            ("last_day", "2026-03-01", "before_first_day"),
            ("last_day", "2027-03-03", "too_long"),
            ("first_day", "2026-02-30", "date_from_datetime_parsing"),
            ("first_day", 20_000, "value_error"),
            ("first_day", "0001-01-01", "value_error"),
            ("time_zone", "Mars/Olympus", "unknown_time_zone"),
            ("kind", "burn_up", "extra_forbidden"),
        ],
    )
    async def test_of_periods_that_are_none(
        self, owner: Caller, project: Thing, field: str, value: object, refusal: str
    ) -> None:
        answer = await owner.post(f"/projects/{project['id']}/reports", PERIOD | {field: value})
        assert code(answer) == (422, "VALIDATION_ERROR")
        (error,) = answer.json()["error"]["details"]["errors"]
        assert (error["loc"], error["code"]) == (["body", field], refusal)

    async def test_of_one_more_than_there_may_be(
        self, owner: Caller, database: Database, project: Thing
    ) -> None:
        made = await order_report(owner, project, last_day="2027-03-02")  # the longest there is
        await execute(
            database,
            "INSERT INTO reports"
            " (workspace_id, id, first_day, last_day, time_zone, status, created_by, version)"
            " SELECT workspace_id, gen_random_uuid(), first_day, last_day, time_zone, status, created_by, 1"
            " FROM reports, generate_series(2, :most)",
            most=MAX_REPORTS,
        )
        path = f"/projects/{project['id']}/reports"
        assert code(await owner.post(path, PERIOD)) == (409, "TOO_MANY_REPORTS")
        await owner.delete(f"/reports/{made['id']}")
        assert (await owner.post(path, PERIOD)).status_code == 202

    @pytest.mark.parametrize("part", PARTS)
    async def test_a_stranger_sees_nothing(
        self, callers: Callers, owner: Caller, database: Database, project: Thing, part: str
    ) -> None:
        report = await make_report(database, owner, project)
        stranger, viewer = (
            await callers.user(),
            await callers.member(project["workspace_id"], Role.VIEWER),
        )
        path = f"/reports/{report['id']}"
        assert code(await stranger.get(f"{path}{part}")) == (404, "REPORT_NOT_FOUND")
        assert (await viewer.get(f"{path}{part}")).status_code == 200
        await owner.delete(f"/projects/{project['id']}")
        assert code(await owner.get(f"{path}{part}")) == (404, "REPORT_NOT_FOUND")

    @pytest.mark.parametrize("part", PARTS[1:])
    async def test_there_is_nothing_to_show_yet(self, owner: Caller, project: Thing, part: str) -> None:
        report = await order_report(owner, project)
        path = f"/reports/{report['id']}"
        assert (await owner.get(path)).json() == report | {"numbers": None}
        answer = await owner.get(f"{path}{part}")
        assert code(answer) == (409, "REPORT_NOT_COMPLETED")
        assert answer.json()["error"]["details"] == {"status": "queued"}

    async def test_no_chart_of_another_kind(self, owner: Caller, database: Database, project: Thing) -> None:
        report = await make_report(database, owner, project)
        path = f"/reports/{report['id']}/charts"
        assert (await owner.get(f"{path}/pie.svg")).status_code == 422
        assert (await owner.get(f"{path}/workload.svg")).status_code == 200

    @pytest.mark.alone
    @by_role(viewer=403, member=204, admin=204, owner=204)
    async def test_to_delete_is_for_those_who_work_there(
        self,
        callers: Callers,
        owner: Caller,
        database: Database,
        workspace: Thing,
        project: Thing,
        role: Role,
        status: int,
    ) -> None:
        report = await make_report(database, owner, project)
        caller = await with_role(callers, workspace, role)
        assert (await caller.delete(f"/reports/{report['id']}")).status_code == status
        assert await count(database, "report_charts") == (0 if status == 204 else len(ChartKind))

    async def test_a_stale_etag_deletes_nothing(self, owner: Caller, project: Thing) -> None:
        path = f"/reports/{(await order_report(owner, project))['id']}"
        assert (await owner.delete(path, if_match='"2"')).status_code == 412
        assert (await owner.delete(path, if_match='"1"')).status_code == 204
        assert code(await owner.get(path)) == (404, "REPORT_NOT_FOUND")


async def test_lists_are_of_their_place(owner: Caller, workspace: Thing, project: Thing) -> None:
    of_project, of_workspace = await order_report(owner, project), await order_report(owner, workspace)
    of_another = await order_report(owner, await make_workspace(owner))
    answers = [
        (await owner.get(f"{path}/reports")).json()["items"]
        for path in (f"/projects/{project['id']}", f"/workspaces/{workspace['id']}")
    ]
    assert answers == [[of_project], [of_workspace, of_project]]
    assert of_another["project_id"] is None


@pytest.fixture
async def report(app: FastAPI, database: Database, owner: Caller, workspace: Thing, task: Thing) -> Thing:
    """Made by the job."""
    del task
    ordered = await order_report(owner, workspace)
    await work_off(app, database, MAKE_REPORT)
    made: Thing = (await owner.get(f"/reports/{ordered['id']}")).json()
    assert (made["status"], made["failure"], made["version"]) == ("completed", None, 3)
    return made


async def test_tasks_of_elsewhere_are_in_none(
    app: FastAPI, database: Database, owner: Caller, workspace: Thing, project: Thing
) -> None:
    elsewhere = await make_workspace(owner)
    projects = [await make_project(owner, place) for place in (workspace, elsewhere, workspace)]
    for each in projects:
        await make_task(owner, each)
    await owner.delete(f"/projects/{projects[-1]['id']}")
    ordered = [await order_report(owner, place) for place in (workspace, project, elsewhere)]
    await work_off(app, database, MAKE_REPORT)
    made = [(await owner.get(f"/reports/{report['id']}")).json() for report in ordered]
    loads = [report["numbers"]["workload"] for report in made]
    assert [sum(load["todo"] for load in each) for each in loads] == [1, 0, 1]


async def test_made_twice_it_is_one(database: Database, owner: Caller, report: Thing) -> None:
    changes = (await owner.get(f"/workspaces/{report['workspace_id']}/changes", limit=100)).json()["items"]
    mine = [change for change in changes if change["subject"]["id"] == report["id"]]
    assert [(change["type"], change["after"]["status"]) for change in mine] == [
        ("report.created", "queued"),
        ("report.updated", "running"),
        ("report.updated", "completed"),
    ]
    path = f"/reports/{report['id']}"
    await ReportMaker(database, run_in_child).make(UUID(report["id"]))
    assert (await owner.get(path)).json() == report
    # One whose worker died is begun anew.
    await execute(database, "DELETE FROM report_charts")
    await execute(database, "UPDATE reports SET status = 'running', numbers = NULL, finished_at = NULL")
    await ReportMaker(database, run_in_child).make(UUID(report["id"]))
    anew = (await owner.get(path)).json()
    assert anew["numbers"] | {"as_of": None} == report["numbers"] | {"as_of": None}
    assert await count(database, "report_charts") == len(ChartKind)


class TestFailures:
    @pytest.mark.alone
    async def test_of_a_process_that_dies(self, database: Database, owner: Caller, project: Thing) -> None:
        report = await order_report(owner, project)
        await ReportMaker(database, lambda *_: run_in_child(die, signal.SIGKILL)).make(UUID(report["id"]))
        await self.ensure_failed(database, owner, report, "not_computed")

    @pytest.mark.alone
    async def test_of_too_many_tasks(
        self,
        database: Database,
        owner: Caller,
        workspace: Thing,
        task: Thing,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        del task
        monkeypatch.setattr("glasswork.features.reports.service.MAX_TASKS", 0)
        report = await order_report(owner, workspace)
        await ReportMaker(database, run_in_child).make(UUID(report["id"]))
        await self.ensure_failed(database, owner, report, "too_many_tasks")

    @pytest.mark.alone
    async def test_of_what_takes_too_long(
        self, database: Database, owner: Caller, project: Thing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("glasswork.features.reports.service.LONGEST_SECONDS", 0)
        report = await order_report(owner, project)
        await ReportMaker(database, run_in_child).make(UUID(report["id"]))
        await self.ensure_failed(database, owner, report, "took_too_long")

    @pytest.mark.alone
    async def test_of_what_is_given_up(self, database: Database, owner: Caller, project: Thing) -> None:
        report = await order_report(owner, project)
        await ReportMaker(database, run_in_child).give_up(UUID(report["id"]))
        await self.ensure_failed(database, owner, report, "abandoned")

    async def ensure_failed(self, database: Database, owner: Caller, report: Thing, failure: str) -> None:
        failed = (await owner.get(f"/reports/{report['id']}")).json()
        assert (failed["status"], failed["failure"], failed["numbers"]) == ("failed", failure, None)
        assert failed["finished_at"]
        assert await count(database, "report_charts") == 0
        answer = await owner.get(f"/reports/{report['id']}/page")
        assert code(answer) == (409, "REPORT_NOT_COMPLETED")


@pytest.mark.alone
async def test_what_is_deleted_meanwhile_does_not_come_back(
    database: Database, owner: Caller, project: Thing
) -> None:
    report = await order_report(owner, project)

    async def delete_meanwhile(*_: Any) -> Any:
        await owner.delete(f"/reports/{report['id']}")
        return await run_in_child(die, signal.SIGKILL)

    await ReportMaker(database, delete_meanwhile).make(UUID(report["id"]))
    assert (await count(database, "reports"), await count(database, "report_charts")) == (0, 0)
