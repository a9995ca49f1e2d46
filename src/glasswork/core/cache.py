"""Answers that are dear to make, kept until something changes; never who may see them.

A value is kept under the number of the last event that it was made after, and holds up to a moment by the
database's clock. Who asks has just been let in by a statement that tells both. So what is found is right with
any number of processes, with Redis or without, and whether or not word of a change came: word only frees what
is of no more use.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from uuid import UUID

import structlog
from pydantic import BaseModel, SecretStr, ValidationError

from glasswork.core.tasks import end
from glasswork.core.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from cashews import Cache as Store

KEPT: Final = 1_000
"""Values in the memory of a process. Of more, those that nobody has asked for lately are forgotten."""
KEPT_SECONDS: Final = 60
"""The longest that a value holds."""
WAIT_SECONDS: Final = 0.04
"""No request waits for Redis for longer, and after one that has, none asks it for a while."""
ALONE_SECONDS: Final = 2
GIVE_UP_SECONDS: Final = 0.5
"""For what no request waits for."""

V = TypeVar("V")

log = structlog.get_logger()


class Kept(BaseModel, Generic[V]):
    """A value, the event that it was made after, and the moment up to which it holds."""

    seq: int
    until: datetime
    value: V


@dataclass(frozen=True, slots=True)
class Asked:
    """`cache` is a label of metrics, `tag` the workspace's id, `now` by the database's clock."""

    cache: str
    key: str
    tag: str
    seq: int
    now: datetime

    def place(self, seq: int) -> str:
        return f"glasswork:cache:{self.cache}:{self.key}:{seq}"

    def is_answered_by(self, kept: Kept[Any]) -> bool:
        return kept.seq >= self.seq and kept.until > self.now


class Cache:
    """One in a process: its memory, and behind that Redis, which all processes share."""

    def __init__(self, redis_url: SecretStr | None, metrics: Metrics) -> None:
        self._redis_url = redis_url
        self._requests = metrics.cache_requests
        self._opening = asyncio.Lock()
        self._memory: Store | None = None
        self._shared: _Shared | None = None
        self._making: dict[str, asyncio.Task[Any]] = {}
        self._tags: dict[str, None] = {}
        """Of the workspaces that something is kept of, the oldest first."""
        self._unawaited: set[asyncio.Task[None]] = set()

    async def fetch(self, kind: type[Kept[V]], asked: Asked, make: Callable[[], Awaitable[Kept[V]]]) -> V:
        """Return what is kept, or else make it: of those who ask for the same at one time, one does.

        What `make` raises is raised to all who wait for it.
        """
        memory, place = self._memory or await self._open(), asked.place(asked.seq)
        kept = _read(kind, asked, await memory.get(place))
        while kept is None and place in self._making:
            others: Kept[V] = await asyncio.shield(self._making[place])
            kept = others if asked.is_answered_by(others) else None
        if kept is not None:
            self._count(asked, "hit")
            return kept.value
        task = self._making[place] = asyncio.create_task(self._find_or_make(kind, asked, make))
        task.add_done_callback(lambda _: self._making.pop(place))
        # Shielded, since others wait for it, whatever becomes of who asked first.
        made: Kept[V] = await asyncio.shield(task)
        return made.value

    def drop(self, workspace_id: UUID) -> None:
        """Something has happened there: free what is kept of it, which nobody will ask for any more."""
        tag = str(workspace_id)
        if tag in self._tags:
            del self._tags[tag]
            self._begin(self._drop(tag))

    async def aclose(self) -> None:
        await end(*self._unawaited, *self._making.values())
        if self._memory is not None:
            await self._memory.close()
        if self._shared is not None:
            await self._shared.store.close()

    async def _open(self) -> "Store":
        """Load the library when it is needed: that takes half a second, and the memory of Redis's client."""
        async with self._opening:
            if self._memory is not None:
                return self._memory
            memory, shared = await asyncio.to_thread(_open_stores, self._redis_url)
            self._memory, self._shared = memory, None if shared is None else _Shared(shared)
            return memory

    async def _find_or_make(
        self, kind: type[Kept[V]], asked: Asked, make: Callable[[], Awaitable[Kept[V]]]
    ) -> Kept[V]:
        kept, outcome = None, "miss"
        if self._shared is not None:
            try:
                found = await self._shared.get(asked.place(asked.seq))
                kept = _read(kind, asked, found)
                outcome = "miss" if found is None else "hit" if kept else "error"
            except ConnectionError:
                outcome = "error"
        self._count(asked, outcome)
        if kept is None:
            kept = await make()
            if self._shared is not None:
                self._begin(self._shared.set(asked.place(kept.seq), _written(kept), asked.tag))
        await self._keep(asked, kept)
        return kept

    async def _keep(self, asked: Asked, kept: Kept[Any]) -> None:
        memory = await self._open()
        await memory.set(asked.place(kept.seq), _written(kept), KEPT_SECONDS, tags=[asked.tag])
        self._tags[asked.tag] = None
        if len(self._tags) > KEPT:
            del self._tags[next(iter(self._tags))]

    async def _drop(self, tag: str) -> None:
        await (await self._open()).delete_tags(tag)
        if self._shared is not None:
            await self._shared.drop(tag)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._unawaited.add(task)
        task.add_done_callback(self._unawaited.discard)

    def _count(self, asked: Asked, outcome: str) -> None:
        self._requests.labels(asked.cache, outcome).inc()


class _Shared:
    """Redis, which may be away, slow or wrong: then everybody does without it."""

    def __init__(self, store: "Store") -> None:
        self.store = store
        self._alone_until = 0.0
        self._is_alone = False

    async def get(self, place: str) -> object:
        """Return None where it has nothing; raise `ConnectionError` when it does not answer in time."""
        if monotonic() < self._alone_until:
            return None
        # Not cut off: a connection that is made too late for this request is there for the next one.
        answer = asyncio.create_task(self._ask(self.store.get(place)))
        await asyncio.wait({answer}, timeout=WAIT_SECONDS)
        if not answer.done():
            answer.add_done_callback(lambda late: late.cancelled() or late.exception())
            self._lose(TimeoutError())
            raise ConnectionError
        return answer.result()

    async def set(self, place: str, value: bytes, tag: str) -> None:
        if monotonic() >= self._alone_until:
            with suppress(ConnectionError):
                await self._ask(self.store.set(place, value, KEPT_SECONDS, tags=[tag]))

    async def drop(self, tag: str) -> None:
        if monotonic() >= self._alone_until:
            with suppress(ConnectionError):
                await self._ask(self.store.delete_tags(tag))

    async def _ask(self, command: Awaitable[V]) -> V:
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                answer = await command
        except Exception as error:
            self._lose(error)
            raise ConnectionError from error
        if self._is_alone:
            log.info("cache.shared")
        self._is_alone = False
        return answer

    def _lose(self, error: Exception) -> None:
        if not self._is_alone:
            log.warning("cache.alone", error_type=type(error).__qualname__)
        self._is_alone = True
        self._alone_until = monotonic() + ALONE_SECONDS


def _open_stores(redis_url: SecretStr | None) -> tuple["Store", "Store | None"]:
    """Of bytes, which are JSON: the library's own way to write values down could run code."""
    from cashews import Cache as Store  # noqa: PLC0415 (see `Cache._open`)
    from cashews import register_backend  # noqa: PLC0415
    from cashews.backends.redis import Redis  # noqa: PLC0415

    memory, shared = Store(), Store()
    memory.setup("mem://", size=KEPT, check_interval=0, pickle_type="null")
    if redis_url is None:
        return memory, None
    register_backend("unix", Redis, pass_uri=True)
    shared.setup(
        redis_url.get_secret_value(),
        pickle_type="null",
        suppress=False,
        client_name="glasswork-cache",
        socket_timeout=GIVE_UP_SECONDS,
        socket_connect_timeout=GIVE_UP_SECONDS,
        wait_for_connection_timeout=GIVE_UP_SECONDS,
    )
    return memory, shared


def _written(kept: Kept[Any]) -> bytes:
    return kept.model_dump_json().encode()


def _read(kind: type[Kept[V]], asked: Asked, written: object) -> Kept[V] | None:
    """Return None also for what is not ours, or of another version, or holds no longer."""
    if not isinstance(written, bytes):
        return None
    try:
        kept = kind.model_validate_json(written)
    except ValidationError:
        return None
    return kept if asked.is_answered_by(kept) else None
