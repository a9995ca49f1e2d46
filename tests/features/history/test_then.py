from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace

pytestmark = pytest.mark.anyio


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    """Each request has its own time of day only where it has a transaction of its own."""
    return committing_callers


async def now(callers: Callers) -> str:
    async with callers.database.reading() as session:
        moment: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return moment.isoformat()


async def then(caller: Caller, task: dict[str, Any], at: str) -> tuple[int, Any, str | None]:
    answer = await caller.get(f"/tasks/{task['id']}", at=at)
    return answer.status_code, answer.json(), answer.headers.get("ETag")


async def test_refuses_what_is_no_moment(owner: Caller, task: dict[str, Any]) -> None:
    for at in ("yesterday", "2026-01-01T00:00:00", ""):
        assert (await then(owner, task, at))[0] == 422


async def test_is_not_for_outsiders(owner: Caller, callers: Callers, task: dict[str, Any]) -> None:
    at = await now(callers)
    assert (await then(await callers.user(), task, at))[0] == 404
    assert (await then(owner, task, at))[0] == 200


async def test_is_nothing_before_it_was_made_and_while_it_is_deleted(
    owner: Caller, callers: Callers, project: dict[str, Any]
) -> None:
    before = await now(callers)
    task = await make_task(owner, project)
    made = await now(callers)
    await owner.delete(f"/tasks/{task['id']}")
    deleted = await now(callers)
    assert (await then(owner, task, made)) == (200, task, '"1"')
    await owner.post(f"/tasks/{task['id']}/restore")
    assert (await then(owner, task, before))[0] == 404
    assert (await then(owner, task, deleted))[0] == 404
    assert (await then(owner, task, made))[0] == 200
    assert (await then(owner, task, await now(callers)))[1]["version"] == 3


async def test_includes_what_happened_at_that_very_moment(owner: Caller, task: dict[str, Any]) -> None:
    changed = (await owner.patch(f"/tasks/{task['id']}", {"title": "New"})).json()
    at = datetime.fromisoformat(changed["updated_at"])
    assert (await then(owner, task, at.isoformat()))[1] == changed
    just_before = at - timedelta(microseconds=1)
    assert (await then(owner, task, just_before.isoformat()))[1] == task


async def test_in_the_future_is_as_now(owner: Caller, task: dict[str, Any]) -> None:
    changed = (await owner.patch(f"/tasks/{task['id']}", {"title": "New"})).json()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await then(owner, task, tomorrow.isoformat()) == (200, changed, '"2"')


async def test_with_events_of_before_there_were_such_fields(
    owner: Caller, callers: Callers, task: dict[str, Any]
) -> None:
    added = ["parent_id", "position", "recurrence", "watcher_ids", "archived_at"]
    async with callers.database.system_transaction() as session:
        await session.execute(
            text("UPDATE workspace_events SET after = after - CAST(:added AS text[]) WHERE subject_id = :id"),
            {"added": added, "id": task["id"]},
        )
    assert (await then(owner, task, await now(callers)))[1] == task


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_is_what_was_answered_then(callers: Callers, seed: int) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    project = await make_project(owner, workspace)
    labels = [(await make_label(owner, project))["id"] for _ in range(3)]
    task = await make_task(owner, project)
    random = Random(seed)  # noqa: S311 (nothing to hide)
    path = f"/tasks/{task['id']}"
    seen: list[tuple[str, tuple[int, Any, str | None]]] = []
    for n in range(40):
        await edit(owner, path, random, labels, n)
        answer = await owner.get(path)
        seen.append((await now(callers), (answer.status_code, answer.json(), answer.headers.get("ETag"))))
    for at, (status, shown, etag) in seen:
        found = await then(owner, task, at)
        assert found == (status, shown, etag) if status == 200 else found[0] == 404


async def edit(caller: Caller, path: str, random: Random, labels: list[str], n: int) -> None:
    fields: dict[str, Any] = {
        "title": f"Edit {n}",
        "priority": random.choice(["low", "high"]),
        "status": random.choice(["todo", "in_progress", "done"]),
        "assignee_id": random.choice([None, str(caller.id)]),
        "label_ids": random.sample(labels, random.randrange(4)),
        "due_at": f"2199-01-{random.randrange(1, 29):02}T00:00:00Z",
        "recurrence": random.choice([None, {"rule": "FREQ=DAILY", "time_zone": "UTC"}]),
    }
    chosen = {name: fields[name] for name in random.sample(sorted(fields), random.randrange(1, 4))}
    match random.randrange(8):
        case 0:
            await caller.delete(path)
        case 1:
            await caller.put(f"{path}/completion")
        case 2:
            await caller.delete(f"{path}/completion")
        case 3:
            await caller.post(f"{path}/restore")
        case 4:
            await caller.post(f"{path}/undo")
        case _:
            await caller.post(f"{path}/restore")
            await caller.patch(path, chosen)
