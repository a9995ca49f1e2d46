import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database
from glasswork.core.errors import require
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.processes import ComputationError
from glasswork.core.statements import AnyRow
from glasswork.features.measures.access import read_categories, read_names, read_tasks
from glasswork.features.measures.policy import Categories, Period, TaskRow
from glasswork.features.measures.schemas import Numbers
from glasswork.features.projects.access import access_to
from glasswork.features.tasks.policy import can_write
from glasswork.features.workspaces.access import role_in

from . import policy
from .errors import ReportNotCompletedError, TooManyReportsError, ends_before_it_begins, too_long
from .events import ReportCreated, ReportDeleted, ReportUpdated
from .models import MAX_REPORTS, ChartFormat, ChartKind, Report, ReportFailure, ReportStatus
from .repository import ReportJobRepository, ReportRepository
from .schemas import ReportCreate, ReportQuery

log = structlog.get_logger()

MAX_TASKS = 50_000
LONGEST_SECONDS = 300
"""From the moment that the tasks are read, waiting for a CPU included."""

Compute = Callable[..., Awaitable[Any]]

_pages = Environment(
    loader=PackageLoader("glasswork", "features/reports/page"), autoescape=True, undefined=StrictUndefined
)


class ReportService:
    """How the tasks of a project, or of a workspace, went through some days."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._reports = ReportRepository(session)
        self._outbox = Outbox(session)

    async def order_of_project(self, actor: Actor, project_id: UUID, new: ReportCreate) -> Report:
        project = await access_to(self._session, actor, project_id)
        require(can_write(project.role))
        return await self._order(actor, project.workspace_id, project_id, new)

    async def order_of_workspace(self, actor: Actor, workspace_id: UUID, new: ReportCreate) -> Report:
        require(can_write(await role_in(self._session, actor, workspace_id)))
        return await self._order(actor, workspace_id, None, new)

    async def page_of_project(self, actor: Actor, project_id: UUID, query: ReportQuery) -> Page[AnyRow]:
        page = await self._reports.page_of_project(actor, project_id, query)
        if not page.items:
            await access_to(self._session, actor, project_id)
        return page

    async def page_of_workspace(self, actor: Actor, workspace_id: UUID, query: ReportQuery) -> Page[AnyRow]:
        page = await self._reports.page_of_workspace(actor, workspace_id, query)
        if not page.items:
            await role_in(self._session, actor, workspace_id)
        return page

    async def get(self, actor: Actor, report_id: UUID) -> AnyRow:
        return await self._reports.get(actor, report_id)

    async def get_chart(self, actor: Actor, report_id: UUID, kind: ChartKind, format_: ChartFormat) -> Any:
        """Return what is drawn; raise ReportNotCompletedError."""
        chart = await self._reports.get_chart(actor, report_id, kind, format_)
        if chart.content is None:
            raise ReportNotCompletedError(chart.status)
        return chart.content

    async def get_page(self, actor: Actor, report_id: UUID) -> str:
        """Return the HTML of all of it."""
        report = await self._reports.get(actor, report_id)
        if report.numbers is None:
            raise ReportNotCompletedError(report.status)
        numbers = Numbers.model_validate(report.numbers)
        svgs = {kind: b64encode(svg.encode()).decode() for kind, svg in await self._reports.svgs(report)}
        return _pages.get_template("report.html").render(report=report, numbers=numbers, svgs=svgs)

    async def delete(self, actor: Actor, report_id: UUID, precondition: Precondition) -> None:
        await self._reports.get(actor, report_id)
        report, role = await self._reports.lock(actor, report_id)
        require(can_write(role))
        precondition.check(report)
        self._outbox.record(actor, ReportDeleted.of(report))
        await self._reports.delete(report)

    async def _order(
        self, actor: Actor, workspace_id: UUID, project_id: UUID | None, new: ReportCreate
    ) -> Report:
        days = (new.last_day - new.first_day).days + 1
        if days < 1:
            raise ends_before_it_begins()
        if days > policy.MAX_DAYS:
            raise too_long(policy.MAX_DAYS)
        # Who orders at the same moment is not waited for: a few more harm nobody.
        if await self._reports.count(workspace_id) >= MAX_REPORTS:
            raise TooManyReportsError(MAX_REPORTS)
        report = Report(
            workspace_id=workspace_id, project_id=project_id, created_by=actor.user_id, **new.model_dump()
        )
        await self._reports.add(report)
        self._outbox.record(actor, ReportCreated.of(report))
        return report


@dataclass(frozen=True, slots=True)
class _Read:
    tasks: Sequence[TaskRow]
    categories: Categories
    names: Mapping[UUID, str]
    period: Period
    place: str


class ReportMaker:
    """Reads, computes and draws beside the event loop, and stores all of it or a failure.

    What a worker that died has begun is begun anew; what is finished stays as it is.
    """

    def __init__(self, database: Database, in_child_process: Compute) -> None:
        self._database = database
        self._compute = in_child_process

    async def make(self, report_id: UUID) -> None:
        report = await self._start(report_id)
        if report is None:
            return
        read = await self._read(report)
        if len(read.tasks) > MAX_TASKS:
            await self._finish(report_id, ReportFailure.TOO_MANY_TASKS)
            return
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                made = await self._compute(
                    policy.make_report, read.tasks, read.categories, read.names, read.period, read.place
                )
        except TimeoutError:
            await self._finish(report_id, ReportFailure.TOOK_TOO_LONG)
        except ComputationError:
            log.exception("report.failed")
            await self._finish(report_id, ReportFailure.NOT_COMPUTED)
        else:
            await self._finish(report_id, made)

    async def give_up(self, report_id: UUID) -> None:
        await self._finish(report_id, ReportFailure.ABANDONED)

    async def _start(self, report_id: UUID) -> Report | None:
        async with self._database.system_transaction() as session:
            reports = ReportJobRepository(session)
            report = await reports.find_locked(report_id)
            if report is None or report.is_finished:
                return None
            with Outbox(session).updating(None, ReportUpdated, report):
                report.change({"status": ReportStatus.RUNNING})
                await reports.flush()
            return report

    async def _read(self, report: Report) -> _Read:
        async with self._database.transaction() as session:
            reports = ReportJobRepository(session)
            as_of = await reports.now()
            tasks = await read_tasks(session, report.workspace_id, report.project_id, MAX_TASKS + 1)
            return _Read(
                tasks,
                await read_categories(session, report.workspace_id),
                await read_names(session, {task.assignee_id for task in tasks if task.assignee_id}),
                Period(report.first_day, report.last_day, report.time_zone, as_of),
                await reports.name_of_place(report),
            )

    async def _finish(self, report_id: UUID, made: policy.Made | ReportFailure) -> None:
        """What was deleted meanwhile, or finished by another worker, is left alone."""
        async with self._database.system_transaction() as session:
            reports = ReportJobRepository(session)
            report = await reports.find_locked(report_id)
            if report is None or report.is_finished:
                return
            with Outbox(session).updating(None, ReportUpdated, report):
                if isinstance(made, ReportFailure):
                    report.fail(made, await reports.now())
                else:
                    report.complete(made.numbers.model_dump(mode="json"), await reports.now())
                    await reports.add_charts(report, made.drawings)
                await reports.flush()
