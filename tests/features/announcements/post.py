"""What follows an announcement, carried out as the worker does."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.core.jobs import EventRef
from glasswork.core.mail import Mailer
from glasswork.features.announcements.jobs import SEND_ANNOUNCEMENT
from tests.factories.work import make_work

SENDER = "Glasswork <robot@example.org>"


@dataclass
class Post:
    app: FastAPI
    database: Database
    jobs_begun: int = 0

    async def send(self, announcement: dict[str, Any], smtp_url: str | None = None) -> None:
        """Run one job of it."""
        self.jobs_begun += 1
        work = make_work(self.app, self.database, self.jobs_begun)
        work = replace(work, resources=replace(work.resources, mailer=Mailer(smtp_url, SENDER)))
        workspace_id = announcement["workspace_id"]
        event = EventRef(
            id=UUID(int=self.jobs_begun),
            workspace_id=workspace_id and UUID(workspace_id),
            subject_id=UUID(announcement["id"]),
        )
        await SEND_ANNOUNCEMENT.run(work, event)

    async def states(self) -> dict[str, int]:
        """Return how many letters are in each state."""
        counts = "SELECT state, count(*) FROM announcement_letters GROUP BY state"
        async with self.database.reading() as session:
            return {row[0]: row[1] for row in await session.execute(text(counts))}

    async def orders(self) -> int:
        """Return how many jobs of announcements wait."""
        count = "SELECT count(*) FROM jobs.pgqueuer WHERE entrypoint = 'announcements.send'"
        async with self.database.reading() as session:
            number: int = (await session.execute(text(count))).scalar_one()
        return number

    async def execute(self, statement: str, **binds: object) -> None:
        async with self.database.system_transaction() as session:
            await session.execute(text(statement), binds)

    async def kept(self) -> list[tuple[str, str, str]]:
        query = "SELECT recipient, subject, body FROM kept_mails ORDER BY recipient"
        async with self.database.reading() as session:
            return [(row[0], row[1], row[2]) for row in await session.execute(text(query))]
