"""A server with a workspace in it, which is attacked."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from httpx2 import AsyncClient

from glasswork.core.db import Database, create_engine
from glasswork.core.tokens import Keys, issue_access_token
from glasswork.worker import SUBSCRIBERS
from tests.conftest import SECRET
from tests.factories.callers import Caller, Callers
from tests.factories.files import make_attachment
from tests.factories.tracker import make_project, make_task, make_workspace

from .smuggling import SLUG

AT_ONCE: Final = 20


class Attack(Protocol):
    def filled(self, fill: Callable[[bytes], bytes]) -> Self: ...
    async def hold(self, port: int, token: str, patience: float) -> str | None: ...


@dataclass(frozen=True)
class Target:
    port: int
    runner: asyncio.Runner
    callers: Callers
    owner: Caller
    names: dict[str, str]
    """Ids of what is there, by what stands for them in what is written down."""

    def filled(self, data: bytes) -> bytes:
        for name, id_ in (self.names | {"token": self.token()}).items():
            data = data.replace(f"@{name}@".encode(), id_.encode())
        return data

    def token(self) -> str:
        """Return one for the owner that is good for some minutes."""
        return issue_access_token(self.callers.keys, self.owner.actor)

    def hold(self, attacks: Sequence[Attack], patience: float) -> list[str]:
        """Hold them, some at the same time; return the faults."""
        return self.runner.run(self._hold([each.filled(self.filled) for each in attacks], patience))

    async def _hold(self, attacks: Sequence[Attack], patience: float) -> list[str]:
        room, token = asyncio.Semaphore(AT_ONCE), self.token()

        async def hold(attack: Attack) -> str | None:
            async with room:
                found = await attack.hold(self.port, token, patience)
            return f"{found}: {attack}" if found else None

        return [each for each in await asyncio.gather(*map(hold, attacks)) if each]

    def smuggled(self) -> list[str]:
        """Return the slugs of the workspaces that nobody has asked for."""
        return [slug for slug in self.runner.run(self._slugs()) if slug.startswith(SLUG)]

    async def _slugs(self) -> list[str]:
        found: list[str] = []
        query: dict[str, Any] = {"limit": 100}
        headers = {"Authorization": f"Bearer {self.token()}"}
        while True:
            answer = await self.callers.client.get("/api/v1/workspaces", params=query, headers=headers)
            found += [workspace["slug"] for workspace in answer.json()["items"]]
            if not (cursor := answer.json()["next_cursor"]):
                return found
            query["cursor"] = cursor


@contextmanager
def furnished(port: int, database_url: str) -> Iterator[Target]:
    with asyncio.Runner() as runner:
        engine = create_engine(database_url, pool_size=1)
        client = AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60)
        callers = Callers(client, Database(engine, SUBSCRIBERS), Keys.derive(SECRET))
        yield runner.run(_furnish(port, runner, callers))
        runner.run(client.aclose())
        runner.run(engine.dispose())


async def _furnish(port: int, runner: asyncio.Runner, callers: Callers) -> Target:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    task = await make_task(owner, await make_project(owner, workspace))
    attachment = await make_attachment(owner, task)
    names = {"workspace": workspace["id"], "task": task["id"], "attachment": attachment["id"]}
    return Target(port, runner, callers, owner, names)
