"""What things cost: `uv run task bench`.

Each round has a fresh, durable embedded PostgreSQL, and the scenarios of a round follow each other, so that
a slow moment of the machine falls on all of them. Printed are the median and the spread over the rounds.
Compare numbers of one run with each other; on another machine they mean nothing.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx2
from aiosmtpd.smtp import SMTP
from pydantic import SecretStr
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.core.db import Database, open_database
from glasswork.core.embedded import DATABASE, SERVING_ROLE, EmbeddedPostgres
from glasswork.core.jobs import EventRef
from glasswork.core.outbox import Outbox
from glasswork.core.outgoing import open_outgoing
from glasswork.core.settings import Settings
from glasswork.features.credentials.jobs import SEND_WELCOME
from glasswork.worker import SUBSCRIBERS, create_runner

PROGRAM = str(Path(sys.executable).with_name("glasswork"))
WRITERS = 16
REQUESTS = 800
MAILS = 1000


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    results: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, rate in (await run_round()).items():
            results.setdefault(name, []).append(rate)
    for name, rates in results.items():
        spread = f"{min(rates):.0f} to {max(rates):.0f}"
        print(f"{name:<48} {statistics.median(rates):>8.0f} /s   ({spread})")


async def run_round() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="glasswork-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        async with serving(home) as client:
            account = {"email": "bench@example.com", "username": "bench", "name": "Bench"}
            password = "tremendous otter 77"  # noqa: S105 (of nobody)
            await client.post("/auth/register", json=account | {"password": password})
            answer = await client.post("/auth/token", data={"username": "bench", "password": password})
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            projects = [await new_project(client, number) for number in range(WRITERS)]
            task = (await client.post(f"{projects[0]}/tasks", json={"title": "Read me"})).json()
            return {
                "read a task": await rate(client, "GET", [f"/tasks/{task['id']}"] * WRITERS),
                "create tasks, all in one workspace": await rate(
                    client, "POST", [f"{projects[0]}/tasks"] * WRITERS
                ),
                "create tasks, each writer in its own workspace": await rate(
                    client, "POST", [f"{project}/tasks" for project in projects]
                ),
                "list 50 tasks": await rate(client, "GET", [f"{projects[0]}/tasks"] * WRITERS),
                "mails from the queue to an SMTP sink": await drain_mail(home),
            }


@asynccontextmanager
async def serving(home: Path) -> AsyncIterator[httpx2.AsyncClient]:
    environment = os.environ | {"RATE_LIMIT_ENABLED": "false", "LOG_LEVEL": "warning"}
    command = [PROGRAM, "serve", "--port", "0", "--no-worker", "--data-dir", str(home)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        line = next(line for line in process.stderr if line.strip().startswith("API"))
        async with httpx2.AsyncClient(base_url=line.split()[1], timeout=60) as client:
            yield client
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


async def new_project(client: httpx2.AsyncClient, number: int) -> str:
    workspace = await client.post("/workspaces", json={"name": "Bench", "slug": f"bench-{number}"})
    path = f"/workspaces/{workspace.json()['id']}/projects"
    project = await client.post(path, json={"name": "Bench", "key": "BENCH"})
    return f"/projects/{project.json()['id']}"


async def rate(client: httpx2.AsyncClient, method: str, paths: list[str]) -> float:
    """Requests per second of as many clients as there are paths."""
    body = {"title": "Bench"} if method == "POST" else None

    async def call(path: str) -> None:
        for _ in range(REQUESTS // len(paths)):
            answer = await client.request(method, path, json=body)
            answer.raise_for_status()

    began = perf_counter()
    await asyncio.gather(*map(call, paths))
    return REQUESTS / (perf_counter() - began)


class Sink:
    """An SMTP server that counts what it is given."""

    def __init__(self, expected: int) -> None:
        self._left = expected
        self.full = asyncio.Event()

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        self._left -= 1
        if not self._left:
            self.full.set()
        return "250 OK"


async def drain_mail(home: Path) -> float:
    """Welcome mails per second, from the start of the worker to the last mail at the sink."""
    sink = Sink(MAILS)
    smtp = await asyncio.get_running_loop().create_server(lambda: SMTP(sink), "127.0.0.1", 0)
    port = smtp.sockets[0].getsockname()[1]
    with EmbeddedPostgres(home) as server:
        settings = Settings(
            database_url=SecretStr(server.url(SERVING_ROLE, DATABASE)),
            jwt_secret=SecretStr("-" * 32),
            smtp_url=SecretStr(f"smtp://127.0.0.1:{port}"),
        )
        async with (
            open_database(settings, SUBSCRIBERS) as database,
            open_outgoing((), None) as outgoing,
        ):
            await order_mails(database)
            runner = create_runner(settings, database, outgoing, None, finish_seconds=1)
            began = perf_counter()
            working = asyncio.create_task(runner.run())
            await sink.full.wait()
            seconds = perf_counter() - began
            runner.stop.set()
            await working
    smtp.close()
    return MAILS / seconds


async def order_mails(database: Database) -> None:
    async with database.transaction() as session:
        user_id = (await session.execute(text("SELECT id FROM users LIMIT 1"))).scalar_one()
        outbox = Outbox(session)
        for _ in range(MAILS):
            outbox.order(SEND_WELCOME, EventRef(id=uuid7(), workspace_id=None, subject_id=user_id))


if __name__ == "__main__":
    asyncio.run(main())
