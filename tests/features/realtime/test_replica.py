"""A copy that is kept by following, whatever happens to the connection."""

import asyncio
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace
from tests.faults.feed import Copy, Event, replay, show, standing
from tests.faults.traffic import Person, Traffic
from tests.streams import Told, following

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SHOWN = {"workspace", "project", "label", "task", "member", "invitation"}
CUTS = 100


class Writer:
    """Changes a workspace at random, each of its resources in its turn."""

    def __init__(self, owner: Caller, workspace: dict[str, Any], rng: Random) -> None:
        self._owner = owner
        self._workspace = workspace
        self._rng = rng
        self._projects: list[dict[str, Any]] = []
        self._tasks: list[str] = []
        self._number = 0

    async def write(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self._one()
            await asyncio.sleep(self._rng.uniform(0, 0.01))  # when is left to chance

    async def _one(self) -> None:
        self._number += 1
        do = self._rng.choice([self._make, self._make, self._change, self._change, self._change, self._end])
        await do()

    async def _make(self) -> None:
        if len(self._projects) < 2 or self._rng.random() < 0.05:
            self._projects.append(await make_project(self._owner, self._workspace))
        project = self._rng.choice(self._projects)
        if self._rng.random() < 0.2:
            await make_label(self._owner, project)
        self._tasks.append((await make_task(self._owner, project))["id"])

    async def _change(self) -> None:
        if not self._tasks:
            return
        path = f"/tasks/{self._rng.choice(self._tasks)}"
        match self._rng.randrange(4):
            case 0:
                await self._owner.patch(path, {"title": f"Title {self._number}"})
            case 1:
                await self._owner.put(f"{path}/completion")
            case 2:
                await self._owner.post(f"{path}/restore")
            case _:
                name = {"name": f"Workspace {self._number}"}
                await self._owner.patch(f"/workspaces/{self._workspace['id']}", name)

    async def _end(self) -> None:
        if self._tasks and self._rng.random() < 0.8:
            await self._owner.delete(f"/tasks/{self._rng.choice(self._tasks)}")
        elif len(self._projects) > 2:
            gone = self._projects.pop(self._rng.randrange(len(self._projects)))
            await self._owner.delete(f"/projects/{gone['id']}")


class Reader(Traffic):
    """Asks the app itself."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def get(self, person: Person, path: str, **query: Any) -> Any:
        assert person.id == str(self._caller.id)
        return (await self._caller.get(path, **query)).json()


async def follow_with_cuts(
    url: str, owner: Caller, workspace: dict[str, Any], rng: Random, over: asyncio.Event
) -> list[Told]:
    """Return all that was read from the first change to the last one there is when it is over."""
    read: list[Told] = []
    for _ in range(CUTS):
        after = read[-1].id if read else 0
        async with following(url, owner.token, workspace["id"], after=after) as events:
            assert (await events.next()).id == after
            with suppress(TimeoutError):
                async with asyncio.timeout(rng.choice([0, 0.02, 0.1])):
                    while True:
                        read.append(await events.next())
    over.set()
    return read


async def last_seq(feed: Reader, person: Person, workspace_id: str) -> int:
    cursor = "0"
    while True:
        page = await feed.get(person, f"/workspaces/{workspace_id}/changes", cursor=cursor, limit=100)
        if not page["items"]:
            return int(cursor)
        cursor = page["next_cursor"]


def event(workspace_id: str, told: Told) -> Event:
    change = told.data
    assert (change["seq"], change["type"]) == (told.id, told.type)
    fields = {name: change[name] for name in ("seq", "type", "actor_id", "request_id", "before", "after")}
    return Event(workspace_id=workspace_id, subject_id=change["subject"]["id"], **fields)


def shown(copy: Copy) -> Copy:
    return {key: fields for key, fields in standing(copy).items() if key[0] in SHOWN}


async def test_it_is_what_there_is_after_a_hundred_cuts(committing_callers: Callers, url: str) -> None:
    rng = Random(42)  # noqa: S311 (no secret)
    owner = await committing_callers.user()
    workspace = await make_workspace(owner)
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        writing = [group.create_task(Writer(owner, workspace, rng).write(over)) for _ in range(3)]
        reading = group.create_task(follow_with_cuts(url, owner, workspace, rng, over))
    assert all(task.done() for task in writing)
    read = reading.result()
    feed = Reader(owner)
    last = await last_seq(feed, Person.of(owner), workspace["id"])
    async with following(url, owner.token, workspace["id"], after=read[-1].id) as events:
        read += (await events.take(1 + last - read[-1].id))[1:]
    assert [each.id for each in read] == list(range(1, last + 1))
    assert len(read) > CUTS
    copy = replay([event(workspace["id"], told) for told in read], {})
    assert shown(copy) == shown(await show(feed, Person.of(owner), workspace["id"]))
