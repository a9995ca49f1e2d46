from typing import Any

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task

pytestmark = pytest.mark.anyio


async def board_of(caller: Caller, project: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    answer = await caller.get(f"/projects/{project['id']}/board", **query)
    assert answer.status_code == 200, answer.text
    columns: list[dict[str, Any]] = answer.json()["columns"]
    return columns


async def test_is_not_for_outsiders(owner: Caller, callers: Callers, project: dict[str, Any]) -> None:
    path = f"/projects/{project['id']}/board"
    assert (await (await callers.user()).get(path)).status_code == 404
    assert (await owner.get(f"/projects/{uuid7()}/board")).status_code == 404
    assert (await owner.get(path)).status_code == 200


async def test_refuses_too_much_at_once(owner: Caller, project: dict[str, Any]) -> None:
    for limit, status in ((0, 422), (51, 422), (50, 200)):
        answer = await owner.get(f"/projects/{project['id']}/board", limit=limit)
        assert answer.status_code == status


async def test_shows_empty_columns_too(owner: Caller, project: dict[str, Any]) -> None:
    columns = await board_of(owner, project)
    statuses = (await owner.get(f"/projects/{project['id']}/statuses")).json()["items"]
    assert [column["status"]["key"] for column in columns] == ["todo", "in_progress", "done"]
    for column, status in zip(columns, statuses, strict=True):
        assert column["status"].items() >= {name: status[name] for name in ("id", "name", "category")}.items()
        assert (column["count"], column["items"], column["next_cursor"]) == (0, [], None)


async def test_shows_tasks_as_they_are_in_their_order(owner: Caller, project: dict[str, Any]) -> None:
    label = await make_label(owner, project)
    first = await make_task(owner, project, label_ids=[label["id"]], assignee_id=str(owner.id))
    second = await make_task(owner, project)
    started = await make_task(owner, project, status="in_progress")
    todo, in_progress, done = await board_of(owner, project)
    assert (todo["items"], todo["count"]) == ([first, second], 2)
    assert (in_progress["items"], in_progress["count"]) == ([started], 1)
    assert (done["items"], done["count"]) == ([], 0)


async def test_leaves_out_what_is_archived_deleted_or_elsewhere(
    owner: Caller, callers: Callers, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    kept, archived, deleted = [await make_task(owner, project) for _ in range(3)]
    await make_task(owner, await make_project(owner, workspace))
    await owner.delete(f"/tasks/{deleted['id']}")
    async with callers.database.system_transaction() as session:
        statement = text("UPDATE tasks SET archived_at = now() WHERE id = :id")
        await session.execute(statement, {"id": archived["id"]})
    todo = (await board_of(owner, project))[0]
    assert (todo["items"], todo["count"]) == ([kept], 1)


async def test_goes_on_with_the_list(owner: Caller, project: dict[str, Any]) -> None:
    tasks = [await make_task(owner, project) for _ in range(5)]
    others = [await make_task(owner, project, status="done") for _ in range(2)]
    todo, _, done = await board_of(owner, project, limit=2)
    assert (todo["items"], todo["count"]) == (tasks[:2], 5)
    assert (done["items"], done["count"], done["next_cursor"]) == (others, 2, None)
    query = {"status": "todo", "sort": "position", "cursor": todo["next_cursor"]}
    rest = (await owner.get(f"/projects/{project['id']}/tasks", **query)).json()
    assert (rest["items"], rest["next_cursor"]) == (tasks[2:], None)
    mistaken = await owner.get(f"/projects/{project['id']}/tasks", **query | {"status": "done"})
    assert mistaken.status_code == 422
