"""What is sent after an event, carried out as the worker does, and read as its receiver does."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import FastAPI
from sqlalchemy import select, text, update

from glasswork.core.db import Database
from glasswork.core.events import Event, InstallationEvent
from glasswork.core.jobs import EventRef, Work
from glasswork.core.mail import KeptMail
from glasswork.features.credentials.models import OneTimeToken
from glasswork.worker import SUBSCRIBERS
from tests.factories.work import make_work


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
            return await session.scalar(select(KeptMail).where(KeptMail.job_id == self.delivered))

    def _work(self) -> Work:
        return make_work(self.app, self.database, self.delivered)


def token_in(letter: KeptMail | None) -> str:
    assert letter is not None
    return letter.body.split("\n\n")[2]


async def expire(database: Database) -> timedelta:
    """Let the time of the only link be over; return how much there was of it."""
    async with database.transaction() as session:
        left = await session.execute(text("SELECT expires_at - now() FROM one_time_tokens"))
        lifetime: timedelta = left.scalar_one()
        await session.execute(update(OneTimeToken).values(expires_at=text("now()")))
    return lifetime
