"""The ceiling: what a Python process can do at most with the same statements and the same answers.

A bare ASGI app on asyncpg: no framework, no validation, no signals. A token that was verified once is known
ever after. Reads are statements that the app was seen to send (`recording.py`), and their bodies are those
of the app, byte for byte (`ceiling_bodies.py`); writes are written by hand (`ceiling_writes.py`). CEILING
names the file that says which database, which key and which statements.
"""

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import asyncpg
import ceiling_bodies as bodies
import ceiling_writes as writes
import msgspec
from recorded import API, Recorded, Setup, read_cursor

from glasswork.core.actor import Actor
from glasswork.core.tokens import Keys, read_access_token

FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    "int4": int,
    "int8": int,
    "timestamptz": datetime.fromisoformat,
}
SEGMENTS = len(f"{API}/".split("/")) - 1
BEARER = len("Bearer ")
NOBODY = Actor(UUID(int=0), UUID(int=0))


class Read:
    """A recorded statement, whose arguments are replaced by those of the request."""

    def __init__(self, recorded: Recorded, prepared: Any) -> None:
        types = [parameter.name for parameter in prepared.get_parameters()]
        self.sql, self.fields, self.fingerprints = recorded.sql, recorded.fields, recorded.fingerprints
        self._arguments = [
            _restored(value, name) for value, name in zip(recorded.arguments, types, strict=True)
        ]
        self._slots = [
            (place, name, FROM_TEXT.get(types[place]))
            for name, places in recorded.slots.items()
            for place in places
        ]
        self._columns = {column.name: place for place, column in enumerate(prepared.get_attributes())}

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        arguments = self._arguments.copy()
        for place, name, convert in self._slots:
            arguments[place] = convert(values[name]) if convert else values[name]
        return arguments

    def shower(self, place: str, prefix: str = "") -> Callable[[Any], dict[str, Any]]:
        """Return what makes the object at this place of the answer from a row."""
        names = self.fields[place]
        pick = itemgetter(*(self._columns[prefix + name] for name in names))
        return lambda row: dict(zip(names, pick(row), strict=True))


def _restored(value: Any, type_name: str) -> Any:
    if value is None:
        return None
    if type_name == "interval":
        return msgspec.convert(value, timedelta)
    return FROM_TEXT[type_name](value) if type_name in FROM_TEXT else value


async def _no_reset(_: Any) -> None:
    """A connection is given back as it is: nothing was changed in it."""


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=msgspec.json.decode)


Answer = Callable[["Ceiling", str, dict[str, str], bytes, Actor], Awaitable[Any]]


class Ceiling:
    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.keys = Keys.derive(setup.secret)
        self._known: dict[bytes, Actor] = {}
        self.pool: Any = None
        self._reads: dict[str, tuple[Read, bodies.Show]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = b"" if scope["method"] == "GET" else (await receive())["body"]
        subject, *rest = scope["path"].split("/")[SEGMENTS:]
        answer = ROUTES[scope["method"], subject, rest[1] if len(rest) > 1 else ""]
        token = dict(scope["headers"]).get(b"authorization")
        actor = self._actor(token) if token else NOBODY
        query = dict(parse_qsl(scope["query_string"].decode()))
        content = msgspec.json.encode(await answer(self, rest[0], query, body, actor))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        async with self.serving():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        size = self._setup.pool_size
        async with asyncpg.create_pool(
            self._setup.url,
            min_size=size,
            max_size=size,
            init=_prepare,
            reset=_no_reset,
            server_settings={"timezone": "UTC", "glasswork.scope": "system"},
        ) as self.pool:
            async with self.pool.acquire() as connection:
                for name, recorded in self._setup.recording.reads.items():
                    read = Read(recorded, await connection.prepare(recorded.sql))
                    self._reads[name] = (read, bodies.SHOWN[name](read))
            gc.freeze()
            gc.set_threshold(50_000, 20, 50)
            yield

    def _actor(self, token: bytes) -> Actor:
        if (actor := self._known.get(token)) is None:
            actor = self._known[token] = read_access_token(self.keys, token[BEARER:].decode())
        return actor

    async def read(
        self, name: str, actor: Actor, subject: str = "", fingerprint: str = "", **values: Any
    ) -> Any:
        read, show = self._reads[name]
        who = {"user_id": actor.user_id, "session_id": actor.session_id}
        rows = await self.pool.fetch(read.sql, *read.arguments(who | values))
        return show(rows, fingerprint or read.fingerprints.get(subject, ""))


async def get(app: Ceiling, task_id: str, _: dict[str, str], __: bytes, actor: Actor) -> Any:
    return await app.read("get", actor, task_id=task_id)


async def list_(app: Ceiling, project_id: str, query: dict[str, str], _: bytes, actor: Actor) -> Any:
    fingerprint, at, last = read_cursor(query["cursor"])
    return await app.read(
        "list", actor, fingerprint=fingerprint, project_id=project_id, sort_0=at, sort_1=last
    )


async def filtered(app: Ceiling, _: str, query: dict[str, str], __: bytes, actor: Actor) -> Any:
    member = query["assignee_id"]
    return await app.read("filtered", actor, member, assignee_id=member)


async def search(app: Ceiling, _: str, query: dict[str, str], __: bytes, actor: Actor) -> Any:
    return await app.read("search", actor, query["q"], q=query["q"])


async def board(app: Ceiling, project_id: str, _: dict[str, str], __: bytes, actor: Actor) -> Any:
    return await app.read("board", actor, project_id=project_id)


async def changes(app: Ceiling, _: str, query: dict[str, str], __: bytes, actor: Actor) -> Any:
    return await app.read("changes", actor, seq=query["cursor"])


async def log_in(app: Ceiling, _: str, __: dict[str, str], body: bytes, ___: Actor) -> Any:
    return await writes.log_in(app.pool, app.keys, dict(parse_qsl(body.decode())))


async def create(app: Ceiling, project_id: str, _: dict[str, str], body: bytes, actor: Actor) -> Any:
    return await writes.create(app.pool, actor, project_id, msgspec.json.decode(body))


async def patch(app: Ceiling, task_id: str, _: dict[str, str], body: bytes, actor: Actor) -> Any:
    return await writes.patch(app.pool, actor, task_id, msgspec.json.decode(body))


ROUTES: dict[tuple[str, str, str], Answer] = {
    ("GET", "tasks", ""): get,
    ("GET", "projects", "tasks"): list_,
    ("GET", "workspaces", "tasks"): filtered,
    ("GET", "workspaces", "search"): search,
    ("GET", "projects", "board"): board,
    ("GET", "workspaces", "changes"): changes,
    ("POST", "projects", "tasks"): create,
    ("PATCH", "tasks", ""): patch,
    ("POST", "auth", ""): log_in,
}


def make() -> Ceiling:
    return Ceiling(msgspec.json.decode(Path(os.environ["CEILING"]).read_bytes(), type=Setup))
