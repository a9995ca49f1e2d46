from collections.abc import AsyncIterator, Mapping, Sequence
from time import monotonic, time
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core import fleet
from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.errors import PermissionDeniedError
from glasswork.core.frames import Frames
from glasswork.core.jobs import queue_state
from glasswork.core.mail import find_kept
from glasswork.core.outbox import Outbox
from glasswork.core.paging import Page
from glasswork.core.peers import Peers, Told
from glasswork.core.statements import AnyRow
from glasswork.features.accounts.access import require_admin
from glasswork.features.accounts.errors import SessionEndedError
from glasswork.features.delivering.access import delivery_state
from glasswork.features.jobs.schemas import JobQuery
from glasswork.features.jobs.service import JobService

from .errors import LoggerNotFoundError, PageNotFoundError, RequestNotKeptError
from .events import LevelChanged, PageViewed
from .repository import DatabaseRepository
from .schemas import Items, LevelSet, LevelUpdate, RequestQuery, RequestRead, View

WATCH_SECONDS = 1800
RIGHTS_SECONDS = 10
"""So long can somebody watch whose rights have ended."""
FIND_FRAMES = 5
"""The other processes are looked for anew every so many frames."""


class PageService:
    """What the operations page shows, from all processes; each view is an event of the installation."""

    def __init__(self, session: AsyncSession, peers: Peers) -> None:
        self._session = session
        self._peers = peers
        self._outbox = Outbox(session)

    async def open_stream(self, actor: Actor, frames: "FrameService") -> AsyncIterator[bytes]:
        await self._admit(actor, View(view="now"))
        return frames.watch(actor)

    async def history(self, actor: Actor, span: str) -> Items:
        told = await self._ask(actor, View(view="now"), "history", span=span)
        return Items(items=list(fleet.history(told.answers)), silent=list(told.silent))

    async def routes(self, actor: Actor) -> Items:
        told = await self._ask(actor, View(view="routes"), "routes")
        return Items(items=list(fleet.routes(told.answers)), silent=list(told.silent))

    async def requests(self, actor: Actor, query: RequestQuery) -> Items:
        view = View(view="requests", request_id=query.request_id)
        wanted = query.model_dump(mode="json", exclude={"list", "limit"})
        told = await self._ask(actor, view, "requests", order=query.list, **wanted)
        found = fleet.requests(told.answers, query.list, query.limit)
        return Items(items=list(found), silent=list(told.silent))

    async def request(self, actor: Actor, request_id: str) -> RequestRead:
        view = View(view="request", request_id=request_id)
        told = await self._ask(actor, view, "request", request_id=request_id)
        entries = fleet.request(told.answers)
        if not entries:
            raise RequestNotKeptError(request_id)
        return RequestRead(request_id=request_id, entries=list(entries), silent=list(told.silent))

    async def jobs(self, actor: Actor, query: JobQuery) -> Page[AnyRow]:
        await self._admit(actor, View(view="jobs"))
        return await JobService(self._session).page(actor, query)

    async def mail(self, actor: Actor) -> Items:
        await self._admit(actor, View(view="mail"))
        kept = await find_kept(self._session, newest=50)
        return Items(
            items=[
                {
                    "at": mail.kept_at.timestamp(),
                    "recipient": mail.recipient,
                    "subject": mail.subject,
                    "body": mail.body,
                }
                for mail in reversed(kept)
            ]
        )

    async def database(self, actor: Actor) -> Items:
        await self._admit(actor, View(view="database"))
        rows = await DatabaseRepository(self._session).activity()
        return Items(items=[dict(row) for row in rows])

    async def levels(self, actor: Actor) -> Items:
        told = await self._ask(actor, View(view="process"), "levels")
        return Items(items=list(fleet.levels(told.answers)), silent=list(told.silent))

    async def set_level(self, actor: Actor, logger: str, update: LevelUpdate) -> None:
        """Set it on every process, for ten minutes."""
        await self._require_admin(actor)
        addresses = await self._peers.find(self._session)
        told = await self._peers.ask(addresses, "set_level", name=logger, level=update.level)
        if not any(told.answers):
            raise LoggerNotFoundError
        self._outbox.record(actor, LevelChanged.by(actor, LevelSet(logger=logger, level=update.level)))

    async def _ask(self, actor: Actor, view: View, question: str, **arguments: object) -> Told:
        await self._admit(actor, view)
        return await self._peers.ask(await self._peers.find(self._session), question, **arguments)

    async def _admit(self, actor: Actor, view: View) -> None:
        await self._require_admin(actor)
        self._outbox.record(actor, PageViewed.by(actor, view))

    async def _require_admin(self, actor: Actor) -> None:
        try:
            await require_admin(self._session, actor)
        except PermissionDeniedError:
            raise PageNotFoundError from None


class FrameService:
    """The frames of the page, for all who watch; without them it asks for nothing."""

    def __init__(self, database: Database, peers: Peers) -> None:
        self._database = database
        self._peers = peers
        self._frames = Frames(self._make)
        self._addresses: Sequence[str] = ()
        self._number = 0

    async def watch(self, actor: Actor) -> AsyncIterator[bytes]:
        """Yield until the actor may watch no longer, for half an hour at most."""
        async with self._frames.watching() as frames:
            began = monotonic()
            asked = began
            async for frame in frames:
                yield frame
                if monotonic() - began > WATCH_SECONDS:
                    return
                if monotonic() - asked > RIGHTS_SECONDS:
                    if not await self._is_admin(actor):
                        return
                    asked = monotonic()

    def end(self) -> None:
        """Let nobody watch any longer: the server stops."""
        self._frames.end()

    async def _make(self) -> Mapping[str, Any]:
        async with self._database.reading() as session:
            if self._number % FIND_FRAMES == 0:
                self._addresses = await self._peers.find(session)
            jobs, deliveries = await queue_state(session), await delivery_state(session)
        self._number += 1
        told = await self._peers.ask(self._addresses, "frame")
        waiting = {"jobs": jobs, "deliveries": deliveries}
        return {"at": time(), **fleet.frame(told.answers), **waiting, "silent": told.silent}

    async def _is_admin(self, actor: Actor) -> bool:
        try:
            async with self._database.reading() as session:
                await require_admin(session, actor)
        except (PermissionDeniedError, SessionEndedError):
            return False
        return True
