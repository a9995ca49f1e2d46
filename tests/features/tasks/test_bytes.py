"""What is written of rows as they were read is what their schemas would have written."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import text

from glasswork.core.paging import PageRead
from glasswork.features.activity.schemas import ChangePage
from glasswork.features.boards.schemas import Board
from glasswork.features.tasks.schemas import TaskRead
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task

pytestmark = pytest.mark.anyio

EXTERNAL = {
    "source": "github.com/ada/otters",
    "id": "17",
    "url": "https://github.com/ada/otters/issues/17",
    "author": None,
    "assignees": ["ada"],
}


@pytest.fixture
async def task(owner: Caller, project: dict[str, Any]) -> dict[str, Any]:
    """One with a value in nearly every field."""
    label, parent = await make_label(owner, project), await make_task(owner, project)
    task = await make_task(
        owner,
        project,
        title='"Öttér"\u2028\\ </script>',
        description="\U0001f9a6\ud7ff\n\t\x7f",
        label_ids=[label["id"]],
        assignee_id=str(owner.actor.user_id),
        due_at="2199-03-25T08:00:00.123456Z",
        start_at="2199-03-24T08:00:00+02:00",
        estimate_minutes=5,
        parent_id=parent["id"],
        recurrence={"rule": "FREQ=DAILY", "time_zone": "Europe/Berlin"},
        priority="urgent",
    )
    await owner.put(f"/tasks/{task['id']}/watchers/{owner.actor.user_id}")
    await owner.put(f"/tasks/{task['id']}/completion")
    return task


async def test_of_a_task(owner: Caller, task: dict[str, Any]) -> None:
    body = (await owner.get(f"/tasks/{task['id']}")).content
    assert TaskRead.model_validate_json(body).model_dump_json().encode() == body
    absent = {name for name, value in json.loads(body).items() if value is None}
    assert absent == {"archived_at", "recurrence", "external"}


async def test_of_a_task_from_elsewhere(owner: Caller, task: dict[str, Any], callers: Callers) -> None:
    """PostgreSQL has an order of its own for the keys of an object."""
    async with callers.database.system_transaction() as session:
        await session.execute(
            text("UPDATE tasks SET external = CAST(:external AS jsonb) WHERE id = :id"),
            {"external": json.dumps(EXTERNAL), "id": task["id"]},
        )
    answer = await owner.get(f"/tasks/{task['id']}")
    assert TaskRead.model_validate_json(answer.content).model_dump(mode="json") == answer.json()
    assert answer.json()["external"] == EXTERNAL


@pytest.mark.usefixtures("task")
async def test_of_lists(owner: Caller, workspace: dict[str, Any], project: dict[str, Any]) -> None:
    empty = await make_project(owner, workspace)
    places = f"/projects/{project['id']}", f"/workspaces/{workspace['id']}", f"/projects/{empty['id']}"
    for query in ("", "?limit=1", "?total=true", "?status=done&status=todo&sort=-due_at"):
        for place in places:
            body = (await owner.get(f"{place}/tasks{query}")).content
            adapter = TypeAdapter(PageRead[TaskRead])
            assert adapter.dump_json(adapter.validate_json(body)) == body


@pytest.mark.usefixtures("task")
async def test_of_boards(owner: Caller, project: dict[str, Any]) -> None:
    for query in ("", "?limit=1"):
        body = (await owner.get(f"/projects/{project['id']}/board{query}")).content
        assert Board.model_validate_json(body).model_dump_json().encode() == body


@pytest.mark.usefixtures("task")
async def test_of_changes(owner: Caller, workspace: dict[str, Any]) -> None:
    answer = await owner.get(f"/workspaces/{workspace['id']}/changes?limit=100")
    page = ChangePage.model_validate_json(answer.content)
    assert page.model_dump(mode="json") == answer.json()
    assert list(answer.json()["items"][0]) == list(page.model_dump()["items"][0])
    assert {item["type"] for item in answer.json()["items"]} >= {"task.created", "task.updated"}


async def test_of_a_new_task(owner: Caller, project: dict[str, Any]) -> None:
    answer = await owner.post(f"/projects/{project['id']}/tasks", {"title": "New"})
    assert TaskRead.model_validate_json(answer.content).model_dump_json().encode() == answer.content
    assert answer.json() == (await owner.get(f"/tasks/{answer.json()['id']}")).json()
