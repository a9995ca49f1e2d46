"""What a job is given when a test runs it by hand."""

from functools import cache
from typing import Any

from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.jobs import Job, Work
from glasswork.core.mail import Mailer
from glasswork.core.outgoing import Outgoing
from glasswork.core.settings import Settings
from glasswork.core.telemetry.metrics import Metrics
from glasswork.worker import JOBS, Resources

API_URL = "https://example.com/api/v1"


def make_work(
    app: FastAPI,
    database: Database,
    work_id: int = 1,
    settings: Settings | None = None,
    metrics: Metrics | None = None,
) -> Work:
    """With a mailer that keeps every letter."""
    settings = settings or app.state.settings
    resources = Resources(
        settings=settings,
        database=database,
        keys=app.state.keys,
        mailer=Mailer(None, settings.mail_from),
        outgoing=outgoing_of(settings),
        storage=app.state.storage,
        api_url=API_URL,
        metrics=metrics or Metrics(),
    )
    return Work(id=work_id, resources=resources, once=database.transaction)


async def work_off(app: FastAPI, database: Database, *jobs: Job[Any]) -> None:
    """Carry out what may run now of these jobs, by default of all, and what they order, as a worker would."""
    by_name: dict[str, Job[Any]] = {job.name: job for job in jobs or JOBS}
    oldest = "SELECT min(id) FROM jobs.pgqueuer WHERE entrypoint = ANY(:names) AND execute_after <= now()"
    taken = text(f"DELETE FROM jobs.pgqueuer WHERE id = ({oldest}) RETURNING id, entrypoint, payload")
    while True:
        async with database.system_transaction() as session:
            row = (await session.execute(taken, {"names": [*by_name]})).one_or_none()
        if row is None:
            return
        job = by_name[row.entrypoint]
        await job.run(make_work(app, database, row.id), job.payload.model_validate_json(row.payload))


def outgoing_of(settings: Settings) -> Outgoing:
    return _outgoing(settings.outgoing_allowed)


@cache
def _outgoing(allowed: tuple[str, ...]) -> Outgoing:
    """It takes 40 ms to make, for the certificates of all authorities; no letter needs it."""
    return Outgoing(allowed)
