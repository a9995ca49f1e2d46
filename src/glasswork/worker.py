"""The worker's composition root: what follows an event, what the clock orders, and what jobs are given."""

import asyncio
import signal
from dataclasses import dataclass

from glasswork import models as _models  # noqa: F401 (mappers need each other)
from glasswork.core.db import Database, open_database
from glasswork.core.mail import Mailer
from glasswork.core.outbox import Subscribers
from glasswork.core.runner import Recurring, Runner
from glasswork.core.settings import Settings
from glasswork.core.telemetry.logs import configure_logs
from glasswork.core.tokens import Keys
from glasswork.features.accounts.events import UserCreated
from glasswork.features.accounts.jobs import SEND_WELCOME
from glasswork.features.privacy.jobs import PURGE

JOBS = (SEND_WELCOME, PURGE)

SUBSCRIBERS: Subscribers = {
    UserCreated.type: (SEND_WELCOME,),
}

SCHEDULE = (Recurring("17 3 * * *", PURGE),)


@dataclass(frozen=True, slots=True)
class Resources:
    """What jobs work with."""

    settings: Settings
    database: Database
    keys: Keys
    mailer: Mailer
    api_url: str


def create_runner(settings: Settings, database: Database, finish_seconds: float) -> Runner:
    smtp_url = settings.smtp_url.get_secret_value() if settings.smtp_url else None
    resources = Resources(
        settings=settings,
        database=database,
        keys=Keys.derive(settings.jwt_secret.get_secret_value()),
        mailer=Mailer(smtp_url, settings.mail_from),
        api_url=f"{settings.public_url}/api/v1",
    )
    return Runner(database, JOBS, SCHEDULE, resources, finish_seconds, settings.heartbeat_seconds)


async def work(settings: Settings) -> None:
    """Carry out jobs until SIGTERM or SIGINT, finish what runs, and give back the rest."""
    configure_logs(settings.log_level, settings.log_format)
    async with open_database(settings, SUBSCRIBERS) as database:
        runner = create_runner(settings, database, finish_seconds=10)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, runner.stop.set)
        await runner.run()
