"""A thousand letters, while the workers that send them are killed or stopped, as processes."""

import asyncio
import random
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from aiosmtpd.smtp import SMTP, Envelope

from glasswork.core import embedded
from glasswork.features.announcements.service import CONNECTIONS
from tests.data_dirs import used_data_dir
from tests.factories.callers import PASSWORD
from tests.processes import Serving, Working
from tests.smtp import Sink, listening, url

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MEMBERS = 1000
SECONDS = 60

JOIN = """
    WITH person AS (
        INSERT INTO users (id, email, username, name, role, is_active, version)
        SELECT gen_random_uuid(), 'p' || n || '@example.com', 'p' || n, 'P' || n, 'user', true, 1
        FROM generate_series(2, $2) AS n RETURNING id
    )
    INSERT INTO memberships (workspace_id, user_id, role, version) SELECT $1, id, 'viewer', 1 FROM person
"""
UNSURE = """
    SELECT email FROM announcement_letters JOIN users ON users.id = user_id WHERE state = 'unsure'
"""


class CountingSink(Sink):
    """It takes its time for each letter, and says when it has accepted one."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.came = asyncio.Event()

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        await asyncio.sleep(self.seconds)
        answer = await super().handle_DATA(server, session, envelope)
        self.came.set()
        return answer

    async def until(self, number: int) -> None:
        """Wait until it has accepted so many."""
        async with asyncio.timeout(SECONDS):
            while len(self.accepted) < number:
                self.came.clear()
                await self.came.wait()


@pytest.fixture
def serving() -> Iterator[Serving]:
    """A server that leaves the jobs to others."""
    with used_data_dir() as data_dir, Serving(data_dir, "--no-worker") as serving:
        yield serving


@pytest.fixture
async def connection(serving: Serving) -> AsyncIterator[asyncpg.Connection]:
    with embedded.EmbeddedPostgres(serving.data_dir) as server:
        address = server.url(embedded.OWNER_ROLE, embedded.DATABASE).replace("+asyncpg", "")
        connection = await asyncpg.connect(address)
        yield connection
        await connection.close()


async def announce(serving: Serving, connection: asyncpg.Connection) -> str:
    """Return the path of what the owner of a workspace with all these members announced."""
    client, account = serving.client, {"email": "p1@example.com", "username": "p1_", "name": "P1"}
    client.post("/api/v1/auth/register", json=account | {"password": PASSWORD}).raise_for_status()
    form = {"username": account["email"], "password": PASSWORD}
    token = client.post("/api/v1/auth/token", data=form).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    workspace = client.post("/api/v1/workspaces", json={"name": "W", "slug": "w"}).json()
    await connection.execute(JOIN, workspace["id"], MEMBERS)
    path = f"/api/v1/workspaces/{workspace['id']}/announcements"
    made = client.post(path, json={"subject": "News", "body": "Of all."})
    made.raise_for_status()
    await connection.execute("DELETE FROM jobs.pgqueuer WHERE entrypoint = 'credentials.send_welcome'")
    return f"{path}/{made.json()['id']}"


# Who is told to stop goes on for some seconds: 4 connections, 5 seconds, 20 letters a second.
@pytest.mark.parametrize(("how", "times", "seconds"), [(signal.SIGKILL, 6, 0.005), (signal.SIGTERM, 2, 0.05)])
async def test_nobody_gets_two_and_all_are_accounted_for(
    serving: Serving, connection: asyncpg.Connection, how: signal.Signals, times: int, seconds: float
) -> None:
    path = await announce(serving, connection)
    rng = random.Random(how)  # noqa: S311 (no secret)
    sink, address = CountingSink(seconds), socket.create_server(("127.0.0.1", 0))
    settings = {"SMTP_URL": url(address), "HEARTBEAT_SECONDS": "1"}
    async with listening(sink, address):
        for _ in range(times):
            with Working(serving.data_dir, **settings) as working:
                await sink.until(len(sink.accepted) + rng.randrange(1, MEMBERS // 7))
                working.process.send_signal(how)
                assert await asyncio.to_thread(working.process.wait, 20) == (
                    -how if how is signal.SIGKILL else 0
                )
        with Working(serving.data_dir, **settings):
            async with asyncio.timeout(SECONDS):
                while (told := serving.client.get(path).json())["status"] != "sent":
                    await asyncio.sleep(0.1)
    accepted = Counter(recipient for (recipient,) in sink.recipients)
    everybody = {f"p{n}@example.com" for n in range(1, MEMBERS + 1)}
    unsure = {row["email"] for row in await connection.fetch(UNSURE)}
    assert set(accepted.values()) == {1}
    assert everybody - accepted.keys() <= unsure
    assert (told["total"], told["failed"], told["skipped"]) == (MEMBERS, 0, 0)
    assert (told["sent"], told["unsure"]) == (MEMBERS - len(unsure), len(unsure))
    assert len(unsure) <= (times * CONNECTIONS if how is signal.SIGKILL else 0)
    print(f"{how.name}: {len(accepted)} of {MEMBERS} accepted once, {len(unsure)} unsure")  # noqa: T201
