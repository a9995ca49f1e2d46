"""What live changes cost: `uv run task bench-live`.

Clients follow workspaces by SSE at one server process; others write, through another server process, so that
each change comes by way of the database. It fails when a client misses a change, gets one twice or out of
order. Told are the time from when a writer was answered to when a client has read the change, of all clients
of the workspace, and the server's own CPU and memory, and the most connections that it had in use.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import httpx2

PROGRAM = str(Path(sys.executable).with_name("glasswork"))
API = "/api/v1"
PASSWORD = "tremendous otter 77"  # noqa: S105 (of nobody)
SETTLE_SECONDS = 10
LIMIT = 2**20


@dataclass
class Client:
    """Reads a stream, and remembers when it read what."""

    read: dict[int, float] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    async def follow(self, host: str, port: int, token: str, workspace_id: str) -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=LIMIT)
        request = f"GET {API}/workspaces/{workspace_id}/events HTTP/1.1\r\nHost: localhost\r\n"
        writer.write(f"{request}Authorization: Bearer {token}\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                if line.startswith(b"id: "):
                    seq = int(line[4:])
                    self.order.append(seq)
                    self.read[seq] = monotonic()
        finally:
            writer.close()


@dataclass
class Found:
    delays: list[float]
    megabytes: Sequence[float]
    """Before there was a stream, with all of them, and at the end."""
    cpu: float
    """Of one core."""
    most_used: float
    """Connections of its pool."""
    given: float
    """Seconds from the beginning of a change's transaction until all streams were given it, on average."""


async def measure(clients: int, workspaces: int, per_second: int, seconds: int) -> Found:
    with tempfile.TemporaryDirectory(prefix="glasswork-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with serving(home) as (process, address), serving(home) as (_, writers):
            async with (
                httpx2.AsyncClient(base_url=address + API, timeout=60) as reads,
                httpx2.AsyncClient(base_url=writers + API, timeout=60) as writes,
            ):
                token = await sign_in(reads)
                for each in (reads, writes):
                    each.headers["Authorization"] = f"Bearer {token}"
                places = [await make_place(reads, number) for number in range(workspaces)]
                before = megabytes(process)
                url = httpx2.URL(address)
                people = [Client() for _ in range(clients)]
                async with streams(people, places, str(url.host), url.port or 80, token):
                    opened, cpu = megabytes(process), cpu_seconds(process)
                    watch = asyncio.create_task(most_used(reads))
                    answered = await write(writes, places, per_second, seconds)
                    await settle(people, places, answered)
                    used = (cpu_seconds(process) - cpu) / seconds
                    watch.cancel()
                    most = (await asyncio.gather(watch, return_exceptions=True))[0]
                    assert not isinstance(most, BaseException), most
                    end, given = megabytes(process), await mean_until_given(reads)
        return Found(check(people, places, answered), (before, opened, end), used, most, given)


@dataclass
class Place:
    workspace_id: str
    task_id: str
    seq: int
    """Of the last change before anybody follows it."""


async def make_place(client: httpx2.AsyncClient, number: int) -> Place:
    workspace = (await client.post("/workspaces", json={"name": "W", "slug": f"w-{number}"})).json()
    path = f"/workspaces/{workspace['id']}"
    project = (await client.post(f"{path}/projects", json={"name": "P", "key": "OPS"})).json()
    task = (await client.post(f"/projects/{project['id']}/tasks", json={"title": "T"})).json()
    last = (await client.get(f"{path}/changes")).json()["items"][-1]
    return Place(workspace["id"], task["id"], last["seq"])


@asynccontextmanager
async def streams(
    people: Sequence[Client], places: Sequence[Place], host: str, port: int, token: str
) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(person.follow(host, port, token, places[number % len(places)].workspace_id))
        for number, person in enumerate(people)
    ]
    while not all(person.order for person in people):
        await asyncio.sleep(0.05)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


Answered = dict[tuple[str, int], float]


async def write(
    client: httpx2.AsyncClient, places: Sequence[Place], per_second: int, seconds: int
) -> Answered:
    """Return when each change was answered."""
    answered: Answered = {}
    pause = len(places) / per_second
    end = monotonic() + seconds

    async def write_there(place: Place, first: float) -> None:
        due, number = monotonic() + first, 0
        while due < end:
            await asyncio.sleep(max(due - monotonic(), 0))
            number += 1
            answer = await client.patch(f"/tasks/{place.task_id}", json={"title": f"T {number}"})
            answer.raise_for_status()
            answered[place.workspace_id, place.seq + number] = monotonic()
            due += pause

    await asyncio.gather(
        *(write_there(place, pause * number / len(places)) for number, place in enumerate(places))
    )
    return answered


async def settle(people: Sequence[Client], places: Sequence[Place], answered: Answered) -> None:
    deadline = monotonic() + SETTLE_SECONDS
    last = dict(sorted(answered))
    for number, person in enumerate(people):
        place = places[number % len(places)]
        while person.order[-1] < last[place.workspace_id] and monotonic() < deadline:
            await asyncio.sleep(0.01)


def check(people: Sequence[Client], places: Sequence[Place], answered: Answered) -> list[float]:
    """Return how long after its answer each change was read, if each client has read all, in order."""
    delays = []
    last = dict(sorted(answered))
    for number, person in enumerate(people):
        place = places[number % len(places)]
        expected = list(range(place.seq, last[place.workspace_id] + 1))
        assert person.order == expected, f"client {number} has read {person.order}"
        delays += [person.read[seq] - answered[place.workspace_id, seq] for seq in expected[1:]]
    return sorted(delays)


async def most_used(client: httpx2.AsyncClient) -> float:
    """Until it is cancelled: how many connections of its pool the server has in use, at most."""
    most = 0.0
    try:
        while True:
            used = await scraped(client, 'db_client_connections{db_client_connection_state="used"}')
            most = max(most, used)
            await asyncio.sleep(0.25)
    except asyncio.CancelledError:
        return most


async def mean_until_given(client: httpx2.AsyncClient) -> float:
    name = "glasswork_live_delay_seconds"
    return await scraped(client, f"{name}_sum") / await scraped(client, f"{name}_count")


async def scraped(client: httpx2.AsyncClient, name: str) -> float:
    text = (await client.get(str(client.base_url).removesuffix(f"{API}/") + "/metrics")).text
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))


@contextmanager
def serving(home: Path) -> Iterator[tuple[int, str]]:
    """Yield a server's process and its address."""
    environment = os.environ | {
        "RATE_LIMIT_ENABLED": "false",
        "LOG_LEVEL": "error",
        "LIVE_STREAMS_PER_USER": "10000",
        "LIVE_STREAMS": "10000",
    }
    command = [PROGRAM, "serve", "--port", "0", "--no-worker", "--data-dir", str(home)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        line = next(line for line in process.stderr if line.strip().startswith("API"))
        yield process.pid, line.split()[1].removesuffix(API)
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


async def sign_in(client: httpx2.AsyncClient) -> str:
    account = {"email": "bench@example.com", "username": "bench", "name": "Bench"}
    await client.post("/auth/register", json=account | {"password": PASSWORD})
    answer = await client.post("/auth/token", data={"username": "bench", "password": PASSWORD})
    token: str = answer.json()["access_token"]
    return token


def megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--workspaces", type=int, default=25)
    parser.add_argument("--per-second", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    found = asyncio.run(measure(options.clients, options.workspaces, options.per_second, options.seconds))
    p50, p99 = (found.delays[int(len(found.delays) * share)] * 1000 for share in (0.5, 0.99))
    print(f"{len(found.delays)} changes read, each once and in order, by {options.clients} clients")
    print(
        f"{len(found.delays) / options.clients * options.workspaces / options.seconds:.0f} changes a second"
    )
    print(f"delay p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {found.delays[-1] * 1000:.1f} ms")
    print(f"given to all streams {found.given * 1000:.1f} ms after its transaction began, on average")
    print("RSS {:.0f} MB before, {:.0f} MB with all streams, {:.0f} MB at the end".format(*found.megabytes))
    print(f"CPU {found.cpu:.0%} of a core; {found.most_used:.0f} connections in use at most")


if __name__ == "__main__":
    main()
