"""What a job is given when a test runs it by hand."""

from functools import cache

from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.core.jobs import Work
from glasswork.core.mail import Mailer
from glasswork.core.outgoing import Outgoing
from glasswork.core.settings import Settings
from glasswork.core.telemetry.metrics import Metrics
from glasswork.worker import Resources
from tests.conftest import make_settings

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
        outgoing=_outgoing(),
        storage=app.state.storage,
        api_url=API_URL,
        metrics=metrics or Metrics(),
    )
    return Work(id=work_id, resources=resources, once=database.transaction)


@cache
def _outgoing() -> Outgoing:
    """It takes 40 ms to make, for the certificates of all authorities; no letter needs it."""
    return Outgoing(make_settings("postgresql+asyncpg://nobody@nowhere/nothing"))
