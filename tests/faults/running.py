"""A run of the ledger: writing while processes are killed, and then the comparison."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, TypeVar

import httpx2

from tests.data_dirs import used_data_dir
from tests.receivers import Receiver

from .audit import DELIVERIES, LETTERS, THINGS, Audit, Finding, Found, Thing
from .feed import Copy, Event, as_told, event_of, replay
from .history import check_order
from .ledger import Ledger, digest, open_ledger
from .site import Blow, Site, open_site
from .writers import FOLLOWED, SET_UP, WRITERS, Team, Writers, set_up

BETWEEN = 100
"""Answers between two blows, at most."""

T = TypeVar("T")


class Run:
    def __init__(
        self, site: Site, api: httpx2.AsyncClient, team: Team, ledger: Ledger, receiver: Receiver, rng: Random
    ) -> None:
        self._site = site
        self._api = api
        self._team = team
        self._ledger = ledger
        self._receiver = receiver
        self._rng = rng
        self._writers = Writers(site, api, team, ledger, rng)
        self._seconds = 0.0

    async def write(self, blows: Sequence[Blow], seconds: float = 0) -> None:
        """Write until so much time is up, and for one blow at least."""
        began, over = monotonic(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(self._writers.write(over))
            while not over.is_set():
                await self._writers.until_answered(self._rng.randrange(BETWEEN))
                if blows:
                    await self._site.strike(self._rng.choice(blows), self._rng)
                if monotonic() - began >= seconds:
                    over.set()
        self._seconds += monotonic() - began

    async def settle(self) -> None:
        """Wait for all jobs and deliveries."""
        await self._site.until("NOT EXISTS (SELECT FROM jobs.pgqueuer WHERE status <> 'failed')")
        undelivered = """
            SELECT FROM workspace_events WHERE type = ANY($1) AND request_id <> $2 AND id NOT IN (
                SELECT event_id FROM deliveries WHERE status = 'delivered' AND event_id IS NOT NULL
            )
        """
        await self._site.until(f"NOT EXISTS ({undelivered})", FOLLOWED, SET_UP)

    async def findings(self) -> list[Finding]:
        asked, answers = self._ledger.read()
        events = [event for event in await self._events() if event.request_id != SET_UP]
        things = [Thing(**row) for row in await self._site.ask(THINGS)]
        found = Found(
            things=grouped((thing.key, thing) for thing in things),
            events=grouped((event.request_id, event) for event in events),
            letters=Counter(row["key"] for row in await self._site.ask(LETTERS)),
            deliveries=grouped((row["key"], row["id"]) for row in await self._site.ask(DELIVERIES)),
            received=grouped((each.data["request_id"], each.id) for each in self._receiver.received),
        )
        return list(Audit(asked, answers, found).findings())

    async def check_copy(self) -> None:
        """A copy that is made of the feed is what the API shows, and that is what it had answered."""
        events = await self._events()
        check_order(events)
        shown = await self._show()
        kinds = {kind for kind, _ in shown}
        copy = replay((event for event in events if event.kind in kinds), {})
        assert copy == {key: as_told(fields) for key, fields in shown.items()}
        latest = {(fields["id"], fields["version"]): digest(fields) for fields in shown.values()}
        _, answers = self._ledger.read()
        told = {(answer.id, answer.version): answer.digest for answer in answers.values() if answer.digest}
        assert {key: told[key] for key in told.keys() & latest.keys()} == {
            key: latest[key] for key in told.keys() & latest.keys()
        }

    def summary(self) -> str:
        asked, answers = self._ledger.read()
        acknowledged = Counter(asked[key].type for key, each in answers.items() if each.is_acknowledgement)
        total = acknowledged.total()
        return (
            f"{total} acknowledged in {self._seconds:.0f} s, {total / self._seconds:.0f} a second:"
            f" {dict(acknowledged)}; {sum(each.tries > 1 for each in answers.values())} asked again,"
            f" {len(asked) - len(answers)} never answered; killed {dict(self._site.kills)}"
        )

    async def _events(self) -> list[Event]:
        return [
            event_of(place.workspace_id, change)
            for place in self._team.places
            async for change in self._all(f"/workspaces/{place.workspace_id}/changes")
        ]

    async def _show(self) -> Copy:
        paths = {}
        for place in self._team.places:
            paths[f"/workspaces/{place.workspace_id}/tasks"] = "task"
            paths[f"/workspaces/{place.workspace_id}/invitations"] = "invitation"
            paths |= {f"/tasks/{task_id}/comments": "comment" for task_id in place.hot}
        return {(kind, each["id"]): each for path, kind in paths.items() async for each in self._all(path)}

    async def _all(self, path: str) -> AsyncIterator[Any]:
        """Of a list, or of the feed, whose last page is an empty one."""
        query = {"limit": "100"}
        headers = {"Authorization": f"Bearer {self._team.token}"}
        is_more = True
        while is_more:
            url = next(iter(self._site.addresses.values())) + path
            response = await self._api.get(url, params=query, headers=headers)
            assert response.status_code == httpx2.codes.OK, response.text
            page = response.json()
            for item in page["items"]:
                yield item
            query["cursor"] = page["next_cursor"]
            is_more = bool(page["items"]) and page["next_cursor"] is not None


def grouped(pairs: Iterable[tuple[str, T]]) -> Mapping[str, Sequence[T]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return dict(groups)


@asynccontextmanager
async def open_run(
    folder: Path, rng: Random, program: Sequence[str], places: int, **settings: str
) -> AsyncIterator[Run]:
    """With `settings` of its PostgreSQL."""
    with used_data_dir() as data_dir:
        with (data_dir / "postgres/data/postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        with open_site(data_dir, program, places) as site, open_ledger(folder / "ledger.jsonl") as ledger:
            async with Receiver().listening() as receiver, httpx2.AsyncClient(timeout=30) as client:
                team = await asyncio.to_thread(set_up, site.addresses[0], receiver.url)
                await site.ask("CHECKPOINT")  # these rows are on disk, whatever is planted
                yield Run(site, client, team, ledger, receiver, rng)
