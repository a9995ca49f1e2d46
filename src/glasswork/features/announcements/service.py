import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Self
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.errors import AppError, require
from glasswork.core.mail import Connection, Letter, Mailer, Outcome
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import require_admin
from glasswork.features.workspaces.access import role_in

from . import policy
from .errors import LettersLeftError
from .events import AnnouncementCreated
from .models import Announcement, AnnouncementStatus
from .repository import AnnouncementRepository, LetterRepository
from .schemas import AnnouncementCreate, AnnouncementQuery

CONNECTIONS = 4
"""To the mail server; so many letters at most are unsure when a worker dies."""
SECONDS = 5
"""After so long a job leaves the rest to a new one, far from its time limit."""
LAST_SECONDS = 5
"""A job that is stopped has so long to finish what the mail server has in its hands."""
KEPT_AT_ONCE = 100


class AnnouncementService:
    """What admins let everybody know; without a workspace it is the installation's."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._announcements = AnnouncementRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, workspace_id: UUID | None, new: AnnouncementCreate) -> Announcement:
        if workspace_id is None:
            await require_admin(self._session, actor)
        else:
            require(policy.can_announce(await role_in(self._session, actor, workspace_id)))
        announcement = await self._announcements.add(
            Announcement(
                workspace_id=workspace_id, subject=new.subject, body=new.body, created_by=actor.user_id
            )
        )
        self._outbox.record(actor, AnnouncementCreated.of(announcement))
        return announcement

    async def get(self, actor: Actor, workspace_id: UUID | None, announcement_id: UUID) -> AnyRow:
        return await self._announcements.get(actor, workspace_id, announcement_id)

    async def page(self, actor: Actor, workspace_id: UUID | None, query: AnnouncementQuery) -> Page[AnyRow]:
        return await self._announcements.page(actor, workspace_id, query)


@dataclass(frozen=True, slots=True)
class Sending:
    """What all letters of an announcement have in common."""

    id: UUID
    workspace_id: UUID | None
    subject: str
    body: str
    author: str
    workspace: str | None

    @classmethod
    def of(cls, announcement: Announcement, names: AnyRow) -> Self:
        return cls(
            announcement.id,
            announcement.workspace_id,
            announcement.subject,
            announcement.body,
            names.author,
            names.workspace,
        )

    def letter_to(self, recipient: AnyRow) -> Letter:
        words = {
            "name": recipient.name,
            "body": self.body,
            "author": self.author,
            "workspace": self.workspace,
        }
        id_ = uuid5(self.id, recipient.user_id.hex)
        return Letter(id_, recipient.email, self.subject, "announcements/emails/announcement", words)


class DeliveryService:
    """Sends each letter at most once: it is claimed, and that committed, before the mail server gets it.

    Between two rounds the next letters are claimed already. So whoever finds claimed ones follows on a crash,
    and leaves the rest to a new job: a job that is taken too often without an end would be given up.
    """

    def __init__(self, database: Database, mailer: Mailer, job_id: int) -> None:
        self._database = database
        self._mailer = mailer
        self._job_id = job_id

    async def send(self, announcement_id: UUID) -> bool:
        """Send for some seconds, and return whether there is more to do."""
        async with self._letters(announcement_id) as letters:
            announcement = await letters.lock()
            if announcement is None or announcement.status is AnnouncementStatus.SENT:
                return False
            sending = Sending.of(announcement, await letters.names(announcement))
            if announcement.status is AnnouncementStatus.QUEUED:
                announcement.start(await letters.choose_recipients(sending.workspace_id))
            elif await letters.give_up_claimed():
                return True
        until = monotonic() + SECONDS
        async with self._mailer.connections(CONNECTIONS) as connections:
            if connections:
                is_left = await self._hand_over(sending, connections, until)
            else:
                is_left = await self._keep(sending, until)
        if not is_left:
            await self._end(sending)
        return is_left

    async def _hand_over(self, sending: Sending, connections: Sequence[Connection], until: float) -> bool:
        async with self._letters(sending.id) as letters:
            claimed = await letters.claim(sending.workspace_id, len(connections))
        while claimed:
            step = asyncio.ensure_future(self._round(sending, connections, claimed))
            try:
                claimed = await asyncio.shield(step)
            except asyncio.CancelledError:
                await self._stop(sending, step)
                raise
            if monotonic() > until:
                break
        await self._give_back(sending, claimed)
        return bool(claimed)

    async def _round(
        self, sending: Sending, connections: Sequence[Connection], claimed: Sequence[AnyRow]
    ) -> Sequence[AnyRow]:
        """Send a letter over each connection, and claim the next ones."""
        outcomes = await asyncio.gather(
            *(
                self._mailer.hand_over(sending.letter_to(recipient), connection)
                for recipient, connection in zip(claimed, connections, strict=False)
            )
        )
        is_away = set(outcomes) == {Outcome.AWAY}
        async with self._letters(sending.id) as letters:
            ids = (recipient.user_id for recipient in claimed)
            await letters.settle(dict(zip(ids, outcomes, strict=True)))
            following = () if is_away else await letters.claim(sending.workspace_id, len(connections))
        if is_away:
            raise LettersLeftError("the mail server is away")
        return following

    async def _stop(self, sending: Sending, step: Awaitable[Sequence[AnyRow]]) -> None:
        """Let the mail server finish what it has in its hands: then nothing is unsure."""
        with suppress(TimeoutError, LettersLeftError, AppError):
            await self._give_back(sending, await asyncio.wait_for(step, LAST_SECONDS))

    async def _give_back(self, sending: Sending, claimed: Sequence[AnyRow]) -> None:
        if claimed:
            async with self._letters(sending.id) as letters:
                await letters.settle({recipient.user_id: Outcome.AWAY for recipient in claimed})

    async def _keep(self, sending: Sending, until: float) -> bool:
        while recipients := await self._keep_some(sending):
            if monotonic() > until:
                break
        return bool(recipients)

    async def _keep_some(self, sending: Sending) -> Sequence[AnyRow]:
        """In one commit: whatever happens, what is kept is noted."""
        async with self._letters(sending.id) as letters:
            recipients = await letters.claim(sending.workspace_id, KEPT_AT_ONCE)
            await letters.keep(
                [self._mailer.kept(self._job_id, sending.letter_to(each)) for each in recipients]
            )
            await letters.settle({each.user_id: Outcome.ACCEPTED for each in recipients})
        return recipients

    async def _end(self, sending: Sending) -> None:
        async with self._letters(sending.id) as letters:
            if await letters.has_left(sending.workspace_id):
                raise LettersLeftError("the mail server puts letters off")
            announcement = await letters.lock()
            if announcement is not None:
                announcement.finish()

    @asynccontextmanager
    async def _letters(self, announcement_id: UUID) -> AsyncIterator[LetterRepository]:
        """Each block is a transaction."""
        async with self._database.system_transaction() as session:
            yield LetterRepository(session, announcement_id)
