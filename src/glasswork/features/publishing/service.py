"""Every change of every workspace, on its way to other services."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from time import monotonic
from uuid import UUID

import structlog

from glasswork.core.db import Database
from glasswork.core.errors import ServiceUnavailableError
from glasswork.core.event_stream import Entry, EventStream, StreamAddress, StreamAwayError
from glasswork.core.settings import Settings
from glasswork.core.statements import AnyRow
from glasswork.core.tasks import end
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.wakeups import Wakeups
from glasswork.features.activity.service import change_of

from .repository import LogRepository

LOOK_SECONDS = 2.0
"""So often what no word has come of is looked for, and the stream is held on, or asked for."""
LONGEST_PAUSE = 10.0
"""Between two tries to reach a Redis that is away."""
WORKSPACES = 50
PAGE = 500
BYTES = 2**20
"""Of one addition at most, so that it fits the time in which Redis must answer."""

log = structlog.get_logger()


@asynccontextmanager
async def publishing(settings: Settings, database: Database, metrics: Metrics) -> AsyncIterator[None]:
    """Publish until the end of the block, beside whatever it does; without EVENT_STREAM_URL, nothing."""
    if settings.event_stream_url is None:
        yield
        return
    stream = EventStream(StreamAddress.parse(settings.event_stream_url.get_secret_value()))
    publisher = Publisher(database, stream, metrics)
    wakeups = Wakeups(settings.database_url.get_secret_value(), publisher.wake)
    async with wakeups.running(), publisher.running():
        yield


class Publisher:
    """The one that holds the stream publishes; those of other processes ask for it now and then."""

    def __init__(self, database: Database, stream: EventStream, metrics: Metrics) -> None:
        self._database = database
        self._stream = stream
        self._metrics = metrics
        self._seen: dict[UUID, int] = {}
        self._behind: dict[UUID, None] = {}
        self._woken: set[UUID] = set()
        self._bell = asyncio.Event()
        self._complete_at = monotonic()
        """When all that had happened was in the stream, as far as this process knows."""
        self._failures = 0
        """In a row."""

    def wake(self, workspace_id: UUID) -> None:
        """Something has happened there."""
        self._woken.add(workspace_id)
        self._bell.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._keep_publishing())
        try:
            yield
        finally:
            await end(task)
            with suppress(StreamAwayError):
                await self._stream.release()
            await self._stream.aclose()

    async def _keep_publishing(self) -> None:
        while True:
            try:
                seen = await self._stream.take()
                if seen is None:
                    self._note_found()
                    self._note_complete()
                else:
                    await self._publish(seen)
            except Exception as error:  # noqa: BLE001 (the next try may be better)
                self._note_lost(error)
                with suppress(StreamAwayError):
                    await self._stream.release()  # another process may reach the database
            await asyncio.sleep(min(LONGEST_PAUSE, LOOK_SECONDS * (1 + self._failures)))

    async def _publish(self, seen: Mapping[UUID, int]) -> None:
        """Add what happens until the stream is held no longer."""
        self._seen = await self._reconcile(seen)
        look_at = monotonic()
        while True:
            if monotonic() >= look_at:
                await self._look()
                look_at = monotonic() + LOOK_SECONDS
            self._bell.clear()
            self._behind |= dict.fromkeys(self._woken)
            self._woken.clear()
            if not await self._advance():
                return
            self._note_found()
            if not self._behind:
                self._note_complete()
                with suppress(TimeoutError):
                    async with asyncio.timeout(look_at - monotonic()):
                        await self._bell.wait()

    async def _reconcile(self, seen: Mapping[UUID, int]) -> dict[UUID, int]:
        """Take the log's word where the stream is ahead of it, since the database was put back."""
        async with self._database.reading() as session:
            last = await LogRepository(session).last()
        ahead = {each: last[each] for each, seq in seen.items() if seq > last.get(each, seq)}
        if ahead:
            log.warning("stream.ahead", found=len(ahead))
        return {**seen, **ahead}

    async def _look(self) -> None:
        """Find all that is behind, whether somebody has told of it or not."""
        async with self._database.reading() as session:
            last = await LogRepository(session).last()
        self._behind |= {each: None for each, seq in last.items() if seq > self._seen.get(each, 0)}

    async def _advance(self) -> bool:
        """Add what comes next in some workspaces; whether the stream is still held."""
        chosen = list(islice(self._behind, WORKSPACES))
        count = PAGE // max(1, len(chosen))
        rows = await self._read(chosen, count)
        entries = list(_fitting(rows))
        if not await self._stream.add(entries):
            return False
        self._metrics.stream_published.inc(len(entries))
        self._seen |= {entry.workspace_id: entry.seq for entry in entries}
        for each in chosen:
            del self._behind[each]
        if len(rows) >= count or len(entries) < len(rows):
            self._behind |= dict.fromkeys(chosen)  # at its end: there may be more
        return True

    async def _read(self, workspace_ids: Iterable[UUID], count: int) -> Sequence[AnyRow]:
        seen = {each: self._seen.get(each, 0) for each in workspace_ids}
        if not seen:
            return ()
        async with self._database.reading() as session:
            return await LogRepository(session).after(seen, count)

    def _note_complete(self) -> None:
        self._complete_at = monotonic()
        self._metrics.stream_behind_seconds.set(0)

    def _note_found(self) -> None:
        if self._failures:
            log.info("stream.back")
        self._failures = 0
        self._tell_age()

    def _note_lost(self, error: Exception) -> None:
        if not isinstance(error, StreamAwayError | ServiceUnavailableError):
            log.error("stream.failed", exc_info=error)
        elif not self._failures:
            log.warning("stream.lost", error_type=type(error.__cause__ or error).__qualname__)
        self._failures += 1
        self._metrics.stream_failures.inc()
        self._tell_age()

    def _tell_age(self) -> None:
        self._metrics.stream_behind_seconds.set(monotonic() - self._complete_at)


def _fitting(rows: Iterable[AnyRow]) -> Iterator[Entry]:
    """Yield the first of them, as many as fit into one addition, and one in any case."""
    size = 0
    for row in rows:
        change = change_of(row).model_dump_json()
        size += len(change)
        if size > BYTES and size > len(change):
            return
        yield Entry(
            workspace_id=row.workspace_id,
            seq=row.seq,
            type=row.type,
            id=row.id,
            request_id=row.request_id,
            traceparent=row.traceparent or "",
            change=change,
        )
