"""The stream in Redis that tells other services what happened: one process at a time adds to it.

How far it has come in each workspace stands beside it, written by the same script as the entries. So one is
never without the other, whatever ends in between; and a Redis that was put back to an earlier state, as by a
failover, says itself what it lacks.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID, uuid4

ANSWER_SECONDS: Final = 2
HELD_SECONDS: Final = 6
"""Who has not added for so long, be it nothing, no longer holds the stream."""

_EXAMPLE: Final = "redis://user:password@host:6379/0?stream=glasswork:events&maxlen=1000000"
_NAME: Final = re.compile(r"[\w:.{}-]{1,100}")
_LEAST_KEPT: Final = 1000

# The holder's word changes with each addition: whoever finds another one no longer knows what is there.
_TAKE: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and string.sub(holder, 1, #ARGV[1]) ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
_ADD: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
for i = 5, #ARGV, 7 do
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*',
        'workspace_id', ARGV[i], 'seq', ARGV[i + 1], 'type', ARGV[i + 2], 'id', ARGV[i + 3],
        'request_id', ARGV[i + 4], 'traceparent', ARGV[i + 5], 'change', ARGV[i + 6])
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
_RELEASE: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and string.sub(holder, 1, #ARGV[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
"""


class StreamAwayError(Exception):
    """Redis did not answer, or refused; what was sent may be in the stream or not."""


class StreamAddress(NamedTuple):
    url: str
    """As the client takes it."""
    name: str
    maxlen: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise ValueError, which does not repeat it, when it is none."""
        parts = urlsplit(text)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        name, maxlen = query.pop("stream", "glasswork:events"), query.pop("maxlen", "1000000")
        if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
            raise ValueError(f"must look like {_EXAMPLE}")
        if not re.fullmatch(r"/?\d{0,4}", parts.path):
            raise ValueError("must name the database by its number, as in redis://host:6379/0")
        if query.keys() - {"ssl_ca_certs"}:
            raise ValueError("takes stream, maxlen and ssl_ca_certs after the question mark, and no others")
        if not _NAME.fullmatch(name):
            raise ValueError("stream must be made of letters, digits and :._-{}, at most 100 of them")
        if not re.fullmatch(r"\d{1,12}", maxlen) or int(maxlen) < _LEAST_KEPT:
            raise ValueError(f"maxlen must be a number of entries, at least {_LEAST_KEPT}")
        return cls(urlunsplit(parts._replace(query=urlencode(query))), name, int(maxlen))


class Entry(NamedTuple):
    """What happened, as readers of the stream get it."""

    workspace_id: UUID
    seq: int
    type: str
    id: UUID
    request_id: str
    traceparent: str
    """Empty where there is none."""
    change: str
    """As JSON, as the change feed shows it."""


class EventStream:
    def __init__(self, address: StreamAddress) -> None:
        # Not at the top: most installations have no Redis, and its client is a tenth of the start.
        from redis import RedisError  # noqa: PLC0415
        from redis.asyncio import Redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        self._client = Redis.from_url(
            address.url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),  # who holds the stream no longer must not add late
            decode_responses=True,
        )
        self._errors = (RedisError, OSError)
        self._take, self._add, self._release = map(self._client.register_script, (_TAKE, _ADD, _RELEASE))
        self._keys = [f"{address.name}:publisher", address.name, f"{address.name}:positions"]
        self._maxlen = address.maxlen
        self._me = uuid4().hex
        self._words = (f"{self._me}:{number}" for number in count())
        self._word = next(self._words)

    async def take(self) -> Mapping[UUID, int] | None:
        """Hold the stream, and return the last `seq` of each workspace in it; None: another one holds it."""
        self._word = next(self._words)
        if not await self._run(self._take, self._me, self._word, HELD_SECONDS * 1000):
            return None
        with self._told():
            positions = self._client.hscan_iter(self._keys[2], count=1000)
            return {UUID(name): int(seq) async for name, seq in positions}

    async def add(self, entries: Sequence[Entry]) -> bool:
        """Add all of them or none, and hold the stream on; False: it is not held any longer, so none."""
        values = [str(value) for entry in entries for value in entry]
        word, self._word = self._word, next(self._words)
        return bool(await self._run(self._add, word, self._word, HELD_SECONDS * 1000, self._maxlen, *values))

    async def release(self) -> None:
        await self._run(self._release, self._me)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _run(self, script: Any, *values: str | int) -> Any:
        with self._told():
            return await script(self._keys, values)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise StreamAwayError(type(error).__qualname__) from error
