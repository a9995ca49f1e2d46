from asyncio import Semaphore, gather
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import Response

from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database
from glasswork.features.projects.service import ProjectService
from glasswork.features.tasks.access import lock_task
from glasswork.features.tasks.schemas import TaskUpdate
from glasswork.features.tasks.service import TaskService
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_task
from tests.features.workspaces.waiting import start
from tests.scrapes import total

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(committing_callers: Callers) -> Database:
    return committing_callers.database


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    return committing_callers


async def test_tasks_made_at_once_have_numbers_of_their_own(owner: Caller, project: dict[str, Any]) -> None:
    made = await gather(*(make_task(owner, project) for _ in range(20)))
    assert {task["key"] for task in made} == {f"{project['key']}-{n}" for n in range(1, 21)}


@pytest.mark.fault("F18", "edit")
async def test_of_many_edits_of_one_version_one_goes_through(owner: Caller, project: dict[str, Any]) -> None:
    task = await make_task(owner, project)
    path = f"/tasks/{task['id']}"
    connections = Semaphore(20)  # as many as there are, or the wait for one could end in a 503

    async def edit(n: int) -> Response:
        async with connections:
            return await owner.patch(path, {"title": f"Edit {n}", "priority": "none"}, if_match='"1"')

    responses = await gather(*(edit(n) for n in range(50)))
    assert Counter(response.status_code for response in responses) == {200: 1, 412: 49}
    won = next(response.json() for response in responses if response.status_code == 200)
    assert (await owner.get(path)).json() == won
    details = [response.json()["error"]["details"] for response in responses if response.status_code == 412]
    assert all(detail == {"current_etag": '"2"', "fields": ["title"]} for detail in details)


async def test_of_edits_of_different_fields_none_is_lost(owner: Caller, project: dict[str, Any]) -> None:
    task = await make_task(owner, project)
    label = await make_label(owner, project)
    edits: dict[str, Any] = {
        "title": "New",
        "description": "New",
        "status": "in_progress",
        "priority": "high",
        "assignee_id": str(owner.id),
        "label_ids": [label["id"]],
        "due_at": "2026-01-01T00:00:00Z",
        "start_at": "2026-01-01T00:00:00Z",
        "estimate_minutes": 5,
    }
    path = f"/tasks/{task['id']}"
    responses = await gather(*(owner.patch(path, {name: value}) for name, value in edits.items()))
    assert {response.status_code for response in responses} == {200}
    after = (await owner.get(path)).json()
    assert after == task | edits | {"version": 1 + len(edits), "updated_at": after["updated_at"]}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "", {"title": "New", "status": "in_progress"}, 200),
        ("PUT", "/completion", None, 200),
        ("DELETE", "/completion", None, 200),
        ("DELETE", "", None, 204),
    ],
)
async def test_a_write_finds_the_task_while_its_status_changes(
    owner: Caller, project: dict[str, Any], database: Database, method: str, path: str, body: Any, status: int
) -> None:
    task = await make_task(owner, project)
    async with database.system_transaction() as session:
        await TaskService(session).complete(owner.actor, UUID(task["id"]), Precondition())
        answer = await start(database, owner.request(method, f"/tasks/{task['id']}{path}", json=body))
        assert not answer.done()
    assert (await answer).status_code == status


async def test_completing_at_once_is_completing_once(owner: Caller, project: dict[str, Any]) -> None:
    task = await make_task(owner, project)
    responses = await gather(*(owner.put(f"/tasks/{task['id']}/completion") for _ in range(6)))
    assert {response.headers["ETag"] for response in responses} == {'"2"'}


async def test_a_label_that_goes_stays_on_no_task(owner: Caller, project: dict[str, Any]) -> None:
    label = await make_label(owner, project)
    tasks = [await make_task(owner, project) for _ in range(6)]
    edits = (owner.patch(f"/tasks/{task['id']}", {"label_ids": [label["id"]]}) for task in tasks)
    deleted, *edited = await gather(owner.delete(f"/labels/{label['id']}"), *edits)
    assert deleted.status_code == 204
    assert {response.status_code for response in edited} <= {200, 409, 422}
    items = (await owner.get(f"/projects/{project['id']}/tasks")).json()["items"]
    assert {tuple(item["label_ids"]) for item in items} == {()}


async def told_of(owner: Caller, task: dict[str, Any]) -> dict[str, Any]:
    """Return the last change of the task."""
    changes = (await owner.get(f"/workspaces/{task['workspace_id']}/changes")).json()["items"]
    last: dict[str, Any] = [change for change in changes if change["subject"]["id"] == task["id"]][-1]
    return last


async def test_a_label_that_goes_is_told_of_without_what_another_one_changes(
    owner: Caller, project: dict[str, Any], database: Database
) -> None:
    label = await make_label(owner, project)
    task = await make_task(owner, project, label_ids=[label["id"]])
    async with database.system_transaction() as session:
        title = TaskUpdate(title="Another's")
        await TaskService(session).update(owner.actor, UUID(task["id"]), title, Precondition())
        answer = await start(database, owner.delete(f"/labels/{label['id']}"))
        assert not answer.done()
    assert (await answer).status_code == 204
    last = await told_of(owner, task)
    assert last["before"].keys() <= {"label_ids", "version", "updated_at"}
    assert (last["before"]["version"], last["after"]["version"]) == (2, 3)


async def test_a_label_that_goes_leaves_a_task_that_comes_back_at_the_same_time(
    owner: Caller, project: dict[str, Any], database: Database
) -> None:
    label = await make_label(owner, project)
    task = await make_task(owner, project, label_ids=[label["id"]])
    await owner.delete(f"/tasks/{task['id']}")
    async with database.system_transaction() as session:
        await TaskService(session).restore(owner.actor, UUID(task["id"]))
        answer = await start(database, owner.delete(f"/labels/{label['id']}"))
        assert not answer.done()
    assert (await answer).status_code == 204
    last = await told_of(owner, task)
    assert (last["type"], last["after"]["label_ids"]) == ("task.updated", [])


async def test_a_label_may_go_while_its_task_goes(
    owner: Caller, project: dict[str, Any], database: Database
) -> None:
    label = await make_label(owner, project)
    task = await make_task(owner, project, label_ids=[label["id"]])
    async with database.system_transaction() as session:
        await TaskService(session).delete(owner.actor, UUID(task["id"]), Precondition())
        answer = await start(database, owner.delete(f"/labels/{label['id']}"))
        assert not answer.done()
    assert (await answer).status_code == 204
    assert (await told_of(owner, task))["type"] == "task.deleted"


async def test_a_task_gets_a_label_while_another_one_of_its_labels_goes(
    owner: Caller, project: dict[str, Any], database: Database
) -> None:
    """Neither waits for the other one's lock."""
    going, new = await make_label(owner, project), await make_label(owner, project)
    task = await make_task(owner, project, label_ids=[going["id"]])
    async with database.system_transaction() as session:
        service, task_id = TaskService(session), UUID(task["id"])
        await service.update(owner.actor, task_id, TaskUpdate(title="Locked"), Precondition())
        answer = await start(database, owner.delete(f"/labels/{going['id']}"))
        assert not answer.done()
        both = TaskUpdate(label_ids=[UUID(going["id"]), UUID(new["id"])])
        await service.update(owner.actor, task_id, both, Precondition())
    assert (await answer).status_code == 204
    last = await told_of(owner, task)
    assert last["before"]["label_ids"] == sorted([going["id"], new["id"]])
    assert last["after"]["label_ids"] == [new["id"]]


async def test_a_task_that_comes_while_its_project_goes_is_refused(
    owner: Caller, project: dict[str, Any], database: Database
) -> None:
    async with database.system_transaction() as session:
        await ProjectService(session).delete(owner.actor, UUID(project["id"]), Precondition())
        await session.flush()
        answer = await start(database, owner.post(f"/projects/{project['id']}/tasks", {"title": "Late"}))
        assert not answer.done()
    assert (await answer).json()["error"]["code"] == "PROJECT_NOT_FOUND"


def retries(app: FastAPI) -> float:
    scrape = app.state.signals.metrics.expose("")[0].decode()
    return total(scrape, "glasswork_request_retries_total")


async def test_a_subtask_recurs_while_its_parent_goes_and_goes_with_it(
    owner: Caller, project: dict[str, Any], database: Database, committing_app: FastAPI
) -> None:
    """The one holds the subtask and makes the next, the other holds the parent and waits for the subtask."""
    retried = retries(committing_app)
    parent = await make_task(owner, project)
    often = {"rule": "FREQ=DAILY", "time_zone": "UTC"}
    subtask = await make_task(
        owner, project, parent_id=parent["id"], due_at="2026-01-01T00:00:00Z", recurrence=often
    )
    async with database.transaction(owner.actor) as session:
        await lock_task(session, owner.actor, UUID(subtask["id"]))
        answer = await start(database, owner.delete(f"/tasks/{parent['id']}"))
        assert not answer.done()
        await TaskService(session).complete(owner.actor, UUID(subtask["id"]), Precondition())
    assert (await answer).status_code == 204
    assert (await owner.get(f"/projects/{project['id']}/tasks")).json()["items"] == []
    assert retries(committing_app) == retried
