"""Who follows which workspace, and what each of them is sent: the log alone tells what has happened."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from time import monotonic, time
from uuid import UUID

import structlog

from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.core.errors import ServiceUnavailableError
from glasswork.core.settings import Settings
from glasswork.core.statements import AnyRow
from glasswork.core.streams import Ending
from glasswork.core.tasks import end
from glasswork.core.telemetry.metrics import Metrics
from glasswork.features.activity.errors import AheadOfLogError
from glasswork.features.activity.service import change_of

from .errors import StreamsExhaustedError, TooManyStreamsError
from .repository import LogRepository
from .schemas import Following, Frame, Kind, LiveStream, Picks, Room, Standings, everything

PAGE = 200
LOOK_SECONDS = 0.5
"""So often all rights are asked for, and what no word has come of is looked for."""
READERS = 4
"""Connections that all readers have at most, so that requests have the rest."""


log = structlog.get_logger()


class Hub:
    """One in a process. No stream holds a connection: readers and looks borrow one for a statement or two."""

    def __init__(self, find_database: Callable[[], Database], settings: Settings, metrics: Metrics) -> None:
        self._database = find_database
        self.settings = settings
        self._metrics = metrics
        self._rooms: dict[UUID, Room] = {}
        self._streams: dict[LiveStream, None] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._reading = asyncio.Semaphore(READERS)
        self._is_ending = False

    @property
    def streams(self) -> int:
        return len(self._streams)

    @contextmanager
    def streaming(self, kind: Kind, actor: Actor) -> Iterator[LiveStream]:
        """Give the actor a stream until the end of the block; raise when they have, or all have, too many."""
        self._ensure_place(actor)
        stream, began = LiveStream(kind, actor), monotonic()
        self._streams[stream] = None
        if self._is_ending:
            stream.end(Ending.STOPPING)
        try:
            with self._metrics.live_streams.labels(kind).track_inprogress():
                yield stream
        finally:
            del self._streams[stream]
            for following in list(stream.followings.values()):
                self.leave(following)
            self._told(stream, monotonic() - began)

    async def follow(
        self,
        stream: LiveStream,
        workspace_id: UUID,
        after: int | None,
        picks: Picks = everything,
        key: str = "",
    ) -> Following:
        """Let the stream follow the workspace, from now or from what was seen; `missed` begins it."""
        async with self._database().reading() as session:
            start = await LogRepository(session).start(stream.actor, workspace_id)
        if after is not None and after > start.last_seq:
            raise AheadOfLogError(start.last_seq)
        seq = start.last_seq if after is None else after
        following = Following(stream, workspace_id, picks, key, start.role, seq, seq == start.last_seq)
        stream.followings[key] = following
        return following

    async def missed(self, following: Following) -> AsyncGenerator[Frame]:
        """Yield what it has not seen yet; from then on its stream gets everything as it comes."""
        while following.stream.is_open and not self._enter(following):
            frames = await self._read(following.workspace_id, following.seq)
            if not _may(following, await self._ask([following])):
                return
            following.is_near = len(frames) < PAGE
            for frame in frames:
                if following.takes(frame):
                    self._count(following.stream)
                    yield frame

    def leave(self, following: Following) -> None:
        following.stream.followings.pop(following.key, None)
        room = self._rooms.get(following.workspace_id)
        if room is None:
            return
        room.present.pop(following, None)
        if not room.present:
            del self._rooms[room.workspace_id]
            room.woken.set()  # its reader ends

    def wake(self, workspace_id: UUID) -> None:
        """Something has happened there."""
        if room := self._rooms.get(workspace_id):
            room.woken.set()

    def end(self) -> None:
        """Let nobody follow any longer: the server stops."""
        self._is_ending = True
        for stream in self._streams:
            stream.end(Ending.STOPPING)

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            await end(task)
            self.end()

    def _told(self, stream: LiveStream, seconds: float) -> None:
        reason = str(stream.ending or Ending.CLIENT)
        self._metrics.live_streams_ended.labels(stream.kind, reason).inc()
        log.info(
            "live.ended",
            kind=stream.kind,
            reason=reason,
            frames=stream.frames,
            open_seconds=round(seconds, 1),
            user_id=stream.actor.user_id,
        )

    def _ensure_place(self, actor: Actor) -> None:
        limit = self.settings.live_streams_per_user
        if sum(stream.actor.user_id == actor.user_id for stream in self._streams) >= limit:
            raise TooManyStreamsError(limit)
        if len(self._streams) >= self.settings.live_streams:
            raise StreamsExhaustedError

    def _enter(self, following: Following) -> bool:
        """Join those who get everything at once, with what was kept; False: it is too far behind."""
        room = self._rooms.get(following.workspace_id)
        if room is None:
            if not following.is_near:
                return False
            room = self._rooms[following.workspace_id] = Room(following.workspace_id, following.seq)
            # In no request's context: what it reads is none's.
            reader = asyncio.get_running_loop().create_task(self._keep_reading(room), context=Context())
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)
            room.woken.set()  # for what came meanwhile
        kept = room.since(following.seq)
        if kept is None:
            return False
        self._give(following, kept)
        room.present[following] = None
        return True

    async def _keep_reading(self, room: Room) -> None:
        while room.present:
            await room.woken.wait()
            room.woken.clear()
            try:
                while await self._advance(room):
                    pass
            except Exception as error:  # noqa: BLE001 (the next look wakes it again)
                _tell_of(error)

    async def _advance(self, room: Room) -> bool:
        """Read on, and give each what it may see at this moment; whether there is more."""
        frames = await self._read(room.workspace_id, room.seq)
        if not frames:
            return False
        standings: Standings = {}
        while new := [each for each in room.present if each.place not in standings]:
            standings |= await self._ask(new)
        for following in list(room.present):
            if _may(following, standings):
                self._give(following, frames)
        now = monotonic()
        for frame in frames:
            self._metrics.live_delay_seconds.observe(now - frame.began)
        room.seq = frames[-1].seq
        room.kept.extend(frames)
        return len(frames) == PAGE

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 (the next look may be better)
                _tell_of(error)

    async def _look(self) -> None:
        """Two statements for all: what nobody has told of, and who may no longer look."""
        for stream in self._streams:
            if stream.actor.expires_at is not None and stream.actor.expires_at < time():
                stream.end(Ending.EXPIRED)
        followings = [each for stream in self._streams for each in stream.followings.values()]
        if not followings:
            return
        standings = await self._ask(followings)
        for following in followings:
            _may(following, standings)
        async with self._reading, self._database().reading() as session:
            last = await LogRepository(session).last(self._rooms.keys())
        for workspace_id, seq in last.items():
            if (room := self._rooms.get(workspace_id)) and seq > room.seq:
                room.woken.set()

    async def _read(self, workspace_id: UUID, seq: int) -> Sequence[Frame]:
        async with self._reading, self._database().reading() as session:
            return [_frame(row) for row in await LogRepository(session).after(workspace_id, seq, PAGE)]

    async def _ask(self, followings: Iterable[Following]) -> Standings:
        """Return the roles of those who may still look, and of the others why they may not."""
        places = list({following.place: None for following in followings})
        async with self._reading, self._database().reading() as session:
            repository = LogRepository(session)
            roles = await repository.roles(places)
            lost = [place for place in places if place not in roles]
            signed_in = await repository.signed_in(lost) if lost else set()
        return {
            **roles,
            **{place: Ending.REMOVED if place[1] in signed_in else Ending.SIGNED_OUT for place in lost},
        }

    def _give(self, following: Following, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if following.takes(frame):
                self._count(following.stream)
                following.stream.put((following, frame), len(frame.change))

    def _count(self, stream: LiveStream) -> None:
        stream.frames += 1
        self._metrics.live_frames.labels(stream.kind).inc()


def _tell_of(error: Exception) -> None:
    """Without a database there are no changes either: streams stay, and go on when it is back."""
    if isinstance(error, ServiceUnavailableError):
        log.warning("live.unread", error_type=type(error).__qualname__)
    else:
        log.error("live.failed", exc_info=error)


def _may(following: Following, standings: Standings) -> bool:
    standing = standings[following.place]
    if isinstance(standing, Ending):
        following.stream.end(standing)
        return False
    following.role = standing
    return True


def _frame(row: AnyRow) -> Frame:
    return Frame(
        seq=row.seq,
        type=row.type,
        change=change_of(row).model_dump_json(),
        is_for_admins=row.is_for_admins,
        task_ids=frozenset(row.task_ids),
        project_ids=frozenset(row.project_ids),
        began=monotonic() - float(row.age),
    )
