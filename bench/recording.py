"""What the app sends to the database for a read, and what it answers: recorded from the app itself.

So the ceiling runs the same statement as the app by construction, whatever becomes of the app.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import asyncpg
import httpx2
import msgspec
from asyncpg.prepared_stmt import PreparedStatement
from fastapi import FastAPI
from journeys import JOURNEYS, READS, VARIETY, Journey, Request
from pydantic import SecretStr
from recorded import API, Recorded, Recording, read_cursor
from stand import ACTOR, Place
from wire import Wire, wire

from glasswork.app import create_app
from glasswork.core.settings import Settings
from glasswork.core.tokens import issue_access_token

JWT_SECRET = "-" * 40
TRIES = 3


Sent = list[tuple[str, Sequence[Any]]]


@contextmanager
def statements() -> Iterator[Sent]:
    """Yield what is asked through asyncpg meanwhile, by whichever of its ways."""
    sent: Sent = []

    def noting(cls: Any, name: str) -> Any:
        original = getattr(cls, name)

        async def ask(self: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(self, PreparedStatement):
                sent.append((self.get_query(), arguments))
            else:
                sent.append((arguments[0], arguments[1:]))
            return await original(self, *arguments, **options)

        return patch.object(cls, name, ask)

    patches = [
        noting(cls, name)
        for cls in (PreparedStatement, asyncpg.Connection)
        for name in ("fetch", "fetchrow", "fetchval")
    ]
    for each in patches:
        each.start()
    try:
        yield sent
    finally:
        for each in patches:
            each.stop()


@dataclass(frozen=True)
class Asked:
    """The app in this process, a client of it, and the wire to its database."""

    app: FastAPI
    client: httpx2.AsyncClient
    wire: Wire


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Asked]:
    async with wire(url) as way:
        settings = Settings(
            database_url=SecretStr(way.url),
            jwt_secret=SecretStr(JWT_SECRET),
            rate_limit_enabled=False,
            log_level="error",
        )
        app = create_app(settings)
        headers = {"Authorization": f"Bearer {issue_access_token(app.state.keys, ACTOR)}"}
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client,
        ):
            yield Asked(app, client, way)


async def record(url: str, place: Place, journeys: Sequence[Journey] = JOURNEYS) -> Recording:
    """Of a database to write into."""
    async with asking(url) as asked:
        client = asked.client
        fingerprint = await fingerprint_of(client, place)
        reads, trips = {}, {}
        for journey in journeys:
            requests = journey.requests(place, fingerprint)
            if journey in READS:
                reads[journey.name] = await _record(client, requests)
            trips[journey.name] = await trips_of(asked, journey, requests)
    return Recording(reads, trips, fingerprint)


async def fingerprint_of(client: httpx2.AsyncClient, place: Place) -> str:
    page = await client.get(f"{API}/projects/{place.projects[0]}/tasks")
    return read_cursor(page.json()["next_cursor"])[0]


async def trips_of(asked: Asked, journey: Journey, requests: Sequence[Request]) -> int:
    """Round trips of a request when its statements are prepared: the least of some, as others go on."""
    counts = []
    for number in range(TRIES + 1):
        before = asked.wire.trips
        await send(asked.client, journey, requests[number % len(requests)])
        counts.append(asked.wire.trips - before)
    return min(counts[1:])


async def send(client: httpx2.AsyncClient, journey: Journey, request: Request) -> httpx2.Response:
    headers = {"Content-Type": journey.content_type} if request.body else {}
    answer = await client.request(request.method, request.path, content=request.body, headers=headers)
    answer.raise_for_status()
    return answer


async def _record(client: httpx2.AsyncClient, requests: Sequence[Request]) -> Recorded:
    request = requests[0]
    with statements() as sent:
        answer = await client.get(request.path)
    answer.raise_for_status()
    # The app looks at its database's health meanwhile, as nobody.
    asked = [each for each in sent if ACTOR.user_id in each[1]]
    assert len(asked) == 1, f"a read is one statement: {asked}"
    ((sql, arguments),) = asked
    values = {**request.values, "user_id": ACTOR.user_id, "session_id": ACTOR.session_id}
    plain = msgspec.to_builtins(arguments, order=None)
    slots = {
        name: [place for place, argument in enumerate(plain) if str(argument) == str(value)]
        for name, value in values.items()
    }
    assert all(slots.values()), slots
    fields = dict(_fields(answer.json()))
    return Recorded(sql, list(plain), slots, fields, await _fingerprints(client, requests))


async def _fingerprints(client: httpx2.AsyncClient, requests: Sequence[Request]) -> dict[str, str]:
    """Those of the cursors in the answers."""
    fingerprints = {}
    for request in requests[:VARIETY] if "?" in requests[0].path else requests[:1]:
        answer = (await client.get(request.path)).json()
        subject = str(next(iter(request.values.values())))
        pages = {column["status"]["key"]: column for column in answer.get("columns", ())} or {subject: answer}
        for name, page in pages.items():
            if (cursor := page.get("next_cursor")) and not cursor.isdecimal():
                fingerprints[name] = read_cursor(cursor)[0]
    return fingerprints


def _fields(answer: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Of the answer, and of what is in its first list and in that one's first object or list."""
    yield "", list(answer)
    for name, value in answer.items():
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, dict):
            for below, names in _fields(inner):
                yield f"{name}.{below}".rstrip("."), names
