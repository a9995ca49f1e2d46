from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core.actor import Actor
from glasswork.core.concurrency import Precondition
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.statements import AnyRow
from glasswork.core.tokens import digest, new_calendar_token
from glasswork.features.accounts.access import require_recent_login
from glasswork.features.workspaces.access import role_in

from .errors import unknown_project
from .events import CalendarFeedCreated, CalendarFeedDeleted
from .models import CalendarFeed
from .policy import write
from .repository import CalendarFeedRepository
from .schemas import CalendarFeedCreate, CalendarFeedIssued, CalendarFeedQuery, CalendarFeedRead


class CalendarFeedService:
    """Links by which my calendar sees what I see."""

    def __init__(self, session: AsyncSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url
        self._feeds = CalendarFeedRepository(session)
        self._outbox = Outbox(session)

    async def create(self, actor: Actor, workspace_id: UUID, new: CalendarFeedCreate) -> CalendarFeedIssued:
        await require_recent_login(self._session, actor)
        await role_in(self._session, actor, workspace_id)
        if new.project_id is not None and not await self._feeds.has_project(
            actor, workspace_id, new.project_id
        ):
            raise unknown_project()
        token = new_calendar_token()
        feed = CalendarFeed(
            user_id=actor.user_id, workspace_id=workspace_id, token_hash=digest(token), **new.model_dump()
        )
        await self._feeds.add(feed)
        self._outbox.record(actor, CalendarFeedCreated.of(feed))
        shown = CalendarFeedRead.model_validate(feed)
        return CalendarFeedIssued(**shown.model_dump(), url=f"{self._base_url}/calendars/{token}.ics")

    async def get(self, actor: Actor, feed_id: UUID) -> AnyRow:
        return await self._feeds.get(actor, feed_id)

    async def page(self, actor: Actor, workspace_id: UUID, query: CalendarFeedQuery) -> Page[AnyRow]:
        page = await self._feeds.page(actor, workspace_id, query)
        if not page.items:
            await role_in(self._session, actor, workspace_id)
        return page

    async def delete(self, actor: Actor, feed_id: UUID, precondition: Precondition) -> None:
        feed = await self._feeds.lock(actor, feed_id)
        precondition.check(feed)
        self._outbox.record(actor, CalendarFeedDeleted.of(feed))
        await self._feeds.delete(feed)

    async def open(self, token: str) -> "OpenCalendar":
        """For whoever has the link, which is all that they need."""
        feed = await self._feeds.get_open(digest(token))
        return OpenCalendar(feed, await self._feeds.tasks(feed), self._base_url)


@dataclass(frozen=True, slots=True)
class OpenCalendar:
    feed: AnyRow
    tasks: Sequence[AnyRow]
    base_url: str

    @property
    def tag(self) -> str:
        """Of what it is made of."""
        return sha256(repr((self.feed, self.tasks, self.base_url)).encode()).hexdigest()[:32]

    async def write(self) -> bytes:
        """In a thread: of as many tasks as there can be it takes some tenths of a second."""
        return await to_thread.run_sync(write, self.feed, self.tasks, self.base_url)
