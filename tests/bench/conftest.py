"""A database of the benchmark, small, and the app and the ceiling on it."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from ceiling import Ceiling
from httpx2 import ASGITransport, AsyncClient
from recorded import Recording, Setup
from recording import JWT_SECRET, Asked, asking, record
from seed import seed
from stand import ACTOR, SEED, SEEDED_AT, Place, look, make_actor, plain

from glasswork.core.tokens import Keys, issue_access_token
from tests.databases import OWNER, SERVING, Server

TASKS = 3_000


@dataclass(frozen=True)
class Bench:
    place: Place
    recording: Recording
    asked: Asked
    ceiling: AsyncClient
    bare: Ceiling
    token: str
    owner: asyncpg.Connection

    @property
    def app(self) -> AsyncClient:
        return self.asked.client


@pytest.fixture(scope="session")
async def bench(server: Server) -> AsyncIterator[Bench]:
    async with server.clone() as name:
        owner = await asyncpg.connect(plain(server.url(OWNER, name)))
        await make_actor(owner)
        rng = random.Random(SEED)  # noqa: S311 (no secret)
        await seed(owner, ACTOR.user_id, TASKS, now=SEEDED_AT, rng=rng)
        place = await look(owner, TASKS)
        url = server.url(SERVING, name)
        recording = await record(url, place)
        bare = Ceiling(Setup(plain(url), JWT_SECRET, 2, recording))
        token = issue_access_token(Keys.derive(JWT_SECRET), ACTOR)
        transport = ASGITransport(app=bare)
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            asking(url) as asked,
            bare.serving(),
            AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as ceiling,
        ):
            yield Bench(place, recording, asked, ceiling, bare, token, owner)
        await owner.close()
