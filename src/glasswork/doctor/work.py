"""Whether what is to be done is done, and whether the data are as they must be."""

from collections.abc import Awaitable, Callable, Sequence
from time import time

from glasswork.core.db import Database, open_database
from glasswork.core.errors import AppError
from glasswork.core.jobs import next_runs, queue_state
from glasswork.core.outbox import NO_SUBSCRIBERS
from glasswork.core.settings import Settings
from glasswork.core.telemetry.metrics import Metrics
from glasswork.doctor.facts import Facts
from glasswork.doctor.findings import ERROR, WARNING, Finding, in_production, judge, listed, not_looked_at
from glasswork.features.invariants.models import Rule
from glasswork.features.invariants.service import InvariantService
from glasswork.worker import SCHEDULE

LATE_SECONDS = 60
"""A worker orders what the clock says within a few seconds."""

Look = Callable[[Database, Settings, Facts], Awaitable[Finding]]


async def worker(database: Database, settings: Settings, facts: Facts) -> Finding:
    """A worker listens for jobs, and moves on the times of those that the clock orders."""
    async with database.reading() as session:
        runs = await next_runs(session)
    ours = {(each.job.name, each.cron) for each in SCHEDULE}
    late = max((time() - moment for name, moment in runs.items() if name in ours), default=0)
    if facts.workers == 0:
        seen = "No process listens for jobs."
    elif late > LATE_SECONDS:
        seen = f"Listening for jobs: {facts.workers}, but the clock's are {late:.0f} s late."
    else:
        seen = f"Listening for jobs: {facts.workers}; the clock's are in time."
    return judge(
        "worker",
        in_production(settings, ERROR),
        facts.workers > 0 and late <= LATE_SECONDS,
        seen,
        "Start one: glasswork worker. Until then no mail, webhook, import or report goes on.",
    )


async def jobs(database: Database, _: Settings, __: Facts) -> Finding:
    async with database.reading() as session:
        state = await queue_state(session)
    dead, waiting = int(state["dead"]), int(state["waiting"] + state["retrying"])
    return judge(
        "jobs",
        WARNING,
        dead == 0,
        f"Dead: {dead}, waiting: {waiting}.",
        "glasswork jobs list says why; glasswork jobs retry NUMBER, when that is mended.",
    )


async def invariants(database: Database, _: Settings, __: Facts) -> Finding:
    service, broken, silent = InvariantService(database, Metrics()), list[str](), list[str]()
    for rule in Rule:
        try:
            found = await service.violations(rule)
        except AppError:
            silent.append(rule.value)
        else:
            broken += [f"{rule.value} ({len(found)})"] if found else []
    if silent and not broken:
        return not_looked_at("invariants", f"the database did not answer in time: {listed(silent)}")
    return judge(
        "invariants",
        ERROR,
        not broken,
        f"Broken: {listed(broken)}." if broken else f"All {len(Rule)} rules hold.",
        "See docs/runbooks/InvariantViolated.md; the data need a look before anything else changes.",
    )


CHECKS: Sequence[tuple[str, Look]] = (("worker", worker), ("jobs", jobs), ("invariants", invariants))


async def look(settings: Settings, facts: Facts) -> Sequence[Finding]:
    """Past the pooler, whose state says nothing of the work."""
    direct, findings = settings.model_copy(update={"database_pooler_url": None}), list[Finding]()
    async with open_database(direct, NO_SUBSCRIBERS) as database:
        for name, check in CHECKS:
            try:
                findings.append(await check(database, settings, facts))
            except AppError as error:
                findings.append(not_looked_at(name, error.message.rstrip(".")))
    return findings
