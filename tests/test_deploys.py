"""Processes that are replaced one after the other behind Traefik, while they are used."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from tests.installations import ONE_PROXY
from tests.processes import Serving, free_port, make, until
from tests.streams import Events
from tests.streams import Told as Event
from tests.test_serve import sign_up
from tests.traefik import Traefik, needs_traefik

pytestmark = [needs_traefik, pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("DEPLOY_ROUNDS", "2"))
CLIENTS = 8
FOLLOWERS = 3
SETTINGS = ONE_PROXY | {"RATE_LIMIT_ENABLED": "false", "DRAIN_SECONDS": "4"}


@dataclass
class Told:
    """What clients were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    seen: list[list[Event]] = field(default_factory=list)
    """By each follower."""


class Replicas:
    """Each at a port of its own, as Traefik knows them."""

    def __init__(self, data_dir: Path, environment: dict[str, str], number: int = 2) -> None:
        self._data_dir, self._environment = data_dir, environment
        self.ports = [free_port() for _ in range(number)]
        self._running: dict[int, Serving] = {}
        self._stack = ExitStack()

    def start(self, port: int) -> None:
        serving = Serving(self._data_dir, "--no-worker", "--port", str(port), **self._environment)
        self._running[port] = self._stack.enter_context(serving)

    def replace(self, port: int) -> None:
        assert self._running.pop(port).stop() == 0
        self.start(port)

    def close(self) -> None:
        self._stack.close()


@asynccontextmanager
async def deployed(data_dir: Path, folder: Path) -> AsyncIterator[tuple[Traefik, Replicas]]:
    with ExitStack() as stack:
        traefik = stack.enter_context(Traefik(folder))
        replicas = Replicas(data_dir, SETTINGS | {"PUBLIC_URL": traefik.url})
        stack.callback(replicas.close)
        for port in replicas.ports:
            await asyncio.to_thread(replicas.start, port)
        await asyncio.to_thread(traefik.start, [f"http://127.0.0.1:{port}" for port in replicas.ports])
        yield traefik, replicas


def open_client(traefik: Traefik, headers: dict[str, str]) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=traefik.url, verify=traefik.trust, headers=headers, timeout=30)


async def work(client: httpx2.AsyncClient, project: str, told: Told, over: asyncio.Event) -> None:
    """Make, read and change tasks, without ever sending anything twice."""
    while not over.is_set():
        try:
            made = await client.post(f"/api/v1/projects/{project}/tasks", json={"title": uuid4().hex})
            told.statuses[made.status_code] += 1
            if made.status_code != 201:
                told.broken.append(made.text[:200])
                continue
            told.made.append(made.json()["id"])
            path = f"/api/v1/tasks/{told.made[-1]}"
            for answer in (
                await client.get(path),
                await client.patch(path, json={"priority": "high"}, headers={"If-Match": '"1"'}),
                await client.get(f"/api/v1/projects/{project}/tasks", params={"limit": 10}),
            ):
                told.statuses[answer.status_code] += 1
                if answer.status_code != 200:
                    told.broken.append(answer.text[:200])
        except httpx2.TransportError as error:
            told.broken.append(repr(error))


async def follow(client: httpx2.AsyncClient, workspace: str, told: Told, over: asyncio.Event) -> None:
    """Read the stream, and go on after what was read when it ends."""
    seen: list[Event] = []
    told.seen.append(seen)
    while not over.is_set():
        after = {"Last-Event-ID": str(seen[-1].id)} if seen else {}
        with suppress(StopAsyncIteration):  # to go on at the other replica
            async with client.stream(
                "GET", f"/api/v1/workspaces/{workspace}/events", headers=after
            ) as answer:
                told.statuses[answer.status_code] += 1
                events = Events(answer)
                assert (await events.next()).type == "ready"
                while True:
                    seen.append(await events.next())


@pytest.mark.fault("F10", "read", "search", "create", "edit", "stream")
async def test_no_request_is_lost_while_all_are_replaced(data_dir: Path, tmp_path: Path) -> None:
    told, over = Told(), asyncio.Event()
    async with deployed(data_dir, tmp_path) as (traefik, replicas):
        with traefik.client() as ada:
            headers = sign_up(ada)
            ada.headers.update(headers)
            workspace = make(ada, "/api/v1/workspaces", name="Ops", slug="ops")["id"]
            project = make(ada, f"/api/v1/workspaces/{workspace}/projects", name="Ops", key="OPS")["id"]
        async with open_client(traefik, headers) as client:
            followers = [asyncio.create_task(follow(client, workspace, told, over)) for _ in range(FOLLOWERS)]
            workers = [asyncio.create_task(work(client, project, told, over)) for _ in range(CLIENTS)]
            for port in replicas.ports * ROUNDS:
                await asyncio.to_thread(replicas.replace, port)
                await asyncio.to_thread(until, lambda: traefik.servers_up() == len(replicas.ports))
            over.set()
            await asyncio.gather(*workers)
            stored = await client.get(
                f"/api/v1/projects/{project}/tasks", params={"limit": 1, "total": "true"}
            )
            last = (await client.post(f"/api/v1/projects/{project}/tasks", json={"title": "Last"})).json()[
                "id"
            ]
            await asyncio.to_thread(
                until, lambda: all(seen[-1].data["subject"]["id"] == last for seen in told.seen)
            )
            for follower in followers:
                follower.cancel()
        assert told.broken == []
        assert set(told.statuses) == {200, 201}
        assert stored.json()["total"] == len(set(told.made)) == told.statuses[201]
        for seen in told.seen:
            numbers = [event.id for event in seen]
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
