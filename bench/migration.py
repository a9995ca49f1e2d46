"""What a migration from the last release costs those who are served meanwhile: `uv run task bench-migration`.

The last release serves a workspace of a million tasks to clients that read and write without a pause, while
`glasswork migrate` brings the schema to that of this code. It fails where a request failed, or where anybody
waited for a lock of the migration for a second.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import quantiles
from time import monotonic
from typing import Any

import httpx2
from alembic import command
from collector import collecting
from last_release import NoHistoryError, Release, last_release
from locks import Watcher
from recorded import API
from servers import PROGRAM, app, new_token
from stand import COPY, Place, Stand, standing

from glasswork.core import migrations, revisions
from glasswork.core.embedded import OWNER_ROLE

MOST_SECONDS_OF_WAIT = 1
CLIENTS = 8
CALM_SECONDS = 5
"""Before the migration, and after it."""


@dataclass
class Answers:
    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        cuts = quantiles(self.seconds, n=100)
        middle, tail, worst = 1000 * cuts[49], 1000 * cuts[98], 1000 * max(self.seconds)
        return f"{len(self.seconds):,} requests; {middle:.0f} ms, p99 {tail:.0f} ms, worst {worst:.0f} ms"


@dataclass
class Load:
    """Clients that each ask for something else as soon as they have been answered."""

    client: httpx2.AsyncClient
    place: Place
    phases: list[Answers] = field(default_factory=lambda: [Answers()])
    is_over: bool = False

    async def ask(self, number: int) -> None:
        rng = random.Random(number)  # noqa: S311 (no secret)
        while not self.is_over:
            answers, began = self.phases[-1], monotonic()
            method, path, body = self._next(rng)
            try:
                answer = await self.client.request(method, API + path, json=body)
                failure = None if answer.is_success else f"{method} {answer.status_code}: {answer.text[:200]}"
            except httpx2.HTTPError as error:
                failure = f"{method} {error!r}"
            answers.seconds.append(monotonic() - began)
            if failure:
                answers.failures[failure] += 1

    def _next(self, rng: random.Random) -> tuple[str, str, dict[str, Any] | None]:
        task, project = f"/tasks/{rng.choice(self.place.targets).task_id}", rng.choice(self.place.projects)
        tasks = f"/projects/{project}/tasks"
        title = f"Number {rng.random()}"
        return rng.choice(
            [
                ("GET", task, None),
                ("GET", f"{tasks}?sort=-priority", None),
                ("GET", f"/workspaces/{self.place.workspace_id}/changes?limit=10", None),
                ("POST", tasks, {"title": title, "due_at": "2027-01-15T12:00:00Z"}),
                ("PATCH", task, {"title": title}),
                ("PATCH", task, {"due_at": f"2027-01-{rng.randrange(1, 28):02}T12:00:00Z"}),
            ]
        )


@dataclass
class Outcome:
    phases: list[Answers]
    seconds: float
    watcher: Watcher

    def faults(self) -> list[str]:
        failures = sum((phase.failures for phase in self.phases), Counter[str]())
        found = [f"{count} times {failure}" for failure, count in failures.most_common(5)]
        if self.watcher.longest >= MOST_SECONDS_OF_WAIT:
            found.append(f"somebody waited {self.watcher.longest:.2f} s for a lock of the migration")
        return found


async def measure(stand: Stand, release: Release, clients: int) -> Outcome:
    async with stand.copied() as url:
        owner = stand.url(COPY, OWNER_ROLE)
        await _take_back(owner, release)
        with collecting() as collector, app(url, collector, "/health", None, release.python_path) as server:
            headers = {"Authorization": f"Bearer {new_token()}"}
            limits = httpx2.Limits(max_connections=clients)
            async with (
                httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=30, limits=limits) as client,
                Watcher.of(stand.url(COPY, "postgres")) as watcher,
            ):
                load = Load(client, stand.place)
                asking = [asyncio.create_task(load.ask(number)) for number in range(clients)]
                await asyncio.sleep(CALM_SECONDS)
                load.phases.append(Answers())
                seconds = await _migrate(url, owner)
                load.phases.append(Answers())
                await asyncio.sleep(CALM_SECONDS)
                load.is_over = True
                await asyncio.gather(*asking)
    return Outcome(load.phases, seconds, watcher)


async def _take_back(owner: str, release: Release) -> None:
    """Bring the schema to where the release knows it."""
    engine = migrations.owner_engine(owner)
    async with engine.connect() as connection:
        down: Callable[[Any], None] = lambda config: command.downgrade(config, release.revision)  # noqa: E731
        await connection.run_sync(migrations.run, down)
    await engine.dispose()


async def _migrate(url: str, owner: str) -> float:
    """As an operator does, in a process of its own."""
    settings = {"DATABASE_URL": url, "MIGRATION_DATABASE_URL": owner, "JWT_SECRET": "-" * 32}
    began = monotonic()
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "migrate", env=os.environ | settings, stdout=subprocess.DEVNULL
    )
    if await process.wait():
        raise SystemExit("glasswork migrate has failed")
    return monotonic() - began


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    options = parser.parse_args()
    try:
        with last_release() as release:
            if release.revision == revisions.head():
                raise SystemExit(f"{release.name} has the newest revision already.")
            async with standing(options.tasks) as stand:
                outcome = await measure(stand, release, options.clients)
    except NoHistoryError as error:
        raise SystemExit(f"git does not hold the last release: {error}") from error
    print(f"From {release.revision} ({release.name[:12]}) to {revisions.head()}, {options.tasks:,} tasks:")
    print(f"  glasswork migrate took {outcome.seconds:.1f} s")
    for name, phase in zip(("before", "meanwhile", "after"), outcome.phases, strict=True):
        print(f"  {name:<10} {phase.told()}")
    watcher = outcome.watcher
    print(f"  longest wait for a lock of the migration: {1000 * watcher.longest:.0f} ms")
    print(f"  seen by {watcher.looks:,} looks, the longest pause between two: {1000 * watcher.blind:.0f} ms")
    if faults := outcome.faults():
        print("\n".join(["FAILED", *faults]))
        sys.exit(1)
    print("No request failed.")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
