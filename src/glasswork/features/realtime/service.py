"""Who follows which workspace, and what each of them is sent: the log alone tells what has happened."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import Context
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Literal
from uuid import UUID

import structlog

from glasswork.core.actor import Actor
from glasswork.core.db import AnyRow, Database
from glasswork.core.errors import AppError
from glasswork.core.settings import Settings
from glasswork.core.streams import Ending, Stream
from glasswork.core.telemetry.metrics import Metrics
from glasswork.features.activity.service import change_of
from glasswork.features.workspaces.models import Role

from .errors import AheadOfLogError, StreamsExhaustedError, TooManyStreamsError
from .repository import LogRepository, Place
from .schemas import Frame, Picks, everything

PAGE = 200
KEPT = 256
"""Frames of a workspace, for who comes back soon."""
LOOK_SECONDS = 0.5
"""So often all rights are asked for, and what no word has come of is looked for."""
READERS = 4
"""Connections that all readers have at most, so that requests have the rest."""

Kind = Literal["sse", "websocket"]
Standings = dict[Place, Role | Ending]
"""The roles of those who may look, and of the others why they may not."""

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Following:
    """One workspace, or a part of it, in the stream of one client."""

    stream: "LiveStream"
    workspace_id: UUID
    picks: Picks
    key: str
    role: Role
    seq: int
    """Of the last change that was looked at for it."""
    is_near: bool
    """Nothing was behind that, when it was looked."""

    @property
    def place(self) -> Place:
        return self.workspace_id, self.stream.actor

    def takes(self, frame: Frame) -> bool:
        """Whether it is to be sent; it has been looked at by then."""
        is_new, self.seq = frame.seq > self.seq, max(self.seq, frame.seq)
        return is_new and frame.may_be_seen_by(self.role) and self.picks(frame)


class LiveStream(Stream[tuple[Following, Frame]]):
    def __init__(self, kind: Kind, actor: Actor) -> None:
        super().__init__()
        self.kind = kind
        self.actor = actor
        self.frames = 0
        """That it was given."""
        self.followings: dict[str, Following] = {}


@dataclass(slots=True, eq=False)
class _Room:
    """A workspace that is followed, read once for all who do."""

    workspace_id: UUID
    seq: int
    present: dict[Following, None] = field(default_factory=dict)
    kept: deque[Frame] = field(default_factory=lambda: deque(maxlen=KEPT))
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None

    def since(self, seq: int) -> Sequence[Frame] | None:
        """Return what came after it; None where not all of that is kept."""
        if seq >= self.seq:
            return ()
        if not self.kept or self.kept[0].seq > seq + 1:
            return None
        return [frame for frame in self.kept if frame.seq > seq]


class Hub:
    """One in a process. No stream holds a connection: readers and looks borrow one for a statement or two."""

    def __init__(self, find_database: Callable[[], Database], settings: Settings, metrics: Metrics) -> None:
        self._database = find_database
        self.settings = settings
        self._metrics = metrics
        self._rooms: dict[UUID, _Room] = {}
        self._streams: dict[LiveStream, None] = {}
        self._reading = asyncio.Semaphore(READERS)
        self._is_ending = False

    @property
    def streams(self) -> int:
        return len(self._streams)

    @contextmanager
    def streaming(self, kind: Kind, actor: Actor) -> Iterator[LiveStream]:
        """Give the actor a stream until the end of the block; raise when they have, or all have, too many."""
        self._ensure_room(actor)
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
        """Let the stream follow the workspace, from now or from what was seen; `changes` begins it."""
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
        while following.stream.ending is None and not self._enter(following):
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
        if not room.present and room.reader is not None:
            room.reader.cancel()
            del self._rooms[room.workspace_id]

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
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
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

    def _ensure_room(self, actor: Actor) -> None:
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
            room = self._rooms[following.workspace_id] = _Room(following.workspace_id, following.seq)
            # In no request's context: what it reads is none's.
            room.reader = asyncio.get_running_loop().create_task(self._keep_reading(room), context=Context())
            room.woken.set()  # for what came meanwhile
        kept = room.since(following.seq)
        if kept is None:
            return False
        self._give(following, kept)
        room.present[following] = None
        return True

    async def _keep_reading(self, room: _Room) -> None:
        while True:
            await room.woken.wait()
            room.woken.clear()
            try:
                while await self._advance(room):
                    pass
            except AppError as error:  # the next look wakes it again
                log.warning("live.unread", error_type=type(error).__qualname__)

    async def _advance(self, room: _Room) -> bool:
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
            except AppError as error:
                log.warning("live.unread", error_type=type(error).__qualname__)

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
        async with self._database().reading() as session:
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
