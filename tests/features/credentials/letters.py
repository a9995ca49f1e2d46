"""What is sent after an event, carried out as the worker does, and read as its receiver does."""

from dataclasses import dataclass
from functools import cache

from fastapi import FastAPI
from sqlalchemy import select

from glasswork.core.db import Database
from glasswork.core.events import Event, InstallationEvent
from glasswork.core.jobs import EventRef, Work
from glasswork.core.mail import KeptMail, Mailer
from glasswork.core.outgoing import Outgoing
from glasswork.core.telemetry.metrics import Metrics
from glasswork.worker import SUBSCRIBERS, Resources
from tests.conftest import make_settings


@dataclass
class Postman:
    app: FastAPI
    database: Database
    delivered: int = 0

    async def deliver(self, event: type[Event]) -> KeptMail | None:
        """Run what follows the newest event of this type; return the letter, if it wrote one."""
        newest = (
            select(InstallationEvent)
            .where(InstallationEvent.type == event.type)
            .order_by(InstallationEvent.id.desc())
            .limit(1)
        )
        async with self.database.reading() as session:
            happened = (await session.scalars(newest)).one()
        reference = EventRef(id=happened.id, workspace_id=None, subject_id=happened.subject_id)
        self.delivered += 1
        for job in SUBSCRIBERS[event.type]:
            await job.run(self._work(), reference)
        async with self.database.reading() as session:
            return await session.get(KeptMail, self.delivered)

    def _work(self) -> Work:
        settings = self.app.state.settings
        mailer = Mailer(None, settings.mail_from)
        api_url = "https://example.com/api/v1"
        keys, metrics = self.app.state.keys, Metrics()
        resources = Resources(settings, self.database, keys, mailer, _outgoing(), api_url, metrics)
        return Work(id=self.delivered, resources=resources, once=self.database.transaction)


@cache
def _outgoing() -> Outgoing:
    """It takes 40 ms to make, for the certificates of all authorities; no letter needs it."""
    return Outgoing(make_settings("postgresql+asyncpg://nobody@nowhere/nothing"))


def token_in(letter: KeptMail | None) -> str:
    assert letter is not None
    return letter.body.split("\n\n")[2]
