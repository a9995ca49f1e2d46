from asyncio import gather
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from httpx2 import Response

from glasswork.core.concurrency import Precondition
from glasswork.core.db import Database
from glasswork.features.removals.service import RemovalService
from glasswork.features.tasks.schemas import TaskCreate, TaskUpdate
from glasswork.features.tasks.service import TaskService
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import (
    make_label,
    make_project,
    make_status,
    make_task,
    make_workspace_label,
)
from tests.features.workflow.test_statuses import statuses_of
from tests.features.workspaces.waiting import start

pytestmark = pytest.mark.anyio

WRITERS = 8


@pytest.fixture
def database(committing_callers: Callers) -> Database:
    return committing_callers.database


@pytest.fixture
def callers(committing_callers: Callers) -> Callers:
    return committing_callers


async def changes_in(owner: Caller, project: dict[str, Any]) -> list[dict[str, Any]]:
    path, items, cursor = f"/workspaces/{project['workspace_id']}/changes", [], None
    while True:
        query = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        page = (await owner.get(path, **query)).json()
        items += page["items"]
        if not page["items"]:
            return items
        cursor = page["next_cursor"]


async def check_versions(owner: Caller, project: dict[str, Any]) -> None:
    """Each change of a task or status begins where the one before ended."""
    versions: dict[str, int] = {}
    for change in await changes_in(owner, project):
        subject, before, after = change["subject"], change["before"], change["after"]
        if change["type"] in {"task.updated", "status.updated"}:
            assert before["version"] == versions.get(subject["id"], 1), change
            assert after["version"] == before["version"] + 1, change
        if after is not None:
            versions[subject["id"]] = after["version"]


async def test_a_status_goes_once(owner: Caller, project: dict[str, Any]) -> None:
    status = (await statuses_of(owner, project))["in_progress"]
    tasks = [await make_task(owner, project, status="in_progress") for _ in range(5)]
    path = f"/statuses/{status['id']}?move_to=todo"
    answers = await gather(*(owner.delete(path) for _ in range(6)))
    assert Counter(answer.status_code for answer in answers) == {204: 1, 404: 5}
    told = Counter(change["type"] for change in await changes_in(owner, project))
    assert (told["status.deleted"], told["task.updated"]) == (1, len(tasks))


async def test_the_last_two_of_a_category_do_not_both_go(owner: Caller, project: dict[str, Any]) -> None:
    shipped = await make_status(owner, project, key="shipped", category="done")
    done = (await statuses_of(owner, project))["done"]
    answers = await gather(*(owner.delete(f"/statuses/{each['id']}") for each in (shipped, done)))
    assert sorted(answer.status_code for answer in answers) == [204, 409]


async def test_tasks_cannot_be_moved_to_one_that_goes(owner: Caller, project: dict[str, Any]) -> None:
    statuses = [await make_status(owner, project, key=key) for key in ("one", "two")]
    for key in ("one", "two"):
        await make_task(owner, project, status=key)
    answers = await gather(
        owner.delete(f"/statuses/{statuses[0]['id']}?move_to=two"),
        owner.delete(f"/statuses/{statuses[1]['id']}?move_to=one"),
    )
    assert sorted(answer.status_code for answer in answers) == [204, 422]
    await check_versions(owner, project)


async def test_a_status_goes_while_tasks_come(owner: Caller, project: dict[str, Any]) -> None:
    status = (await statuses_of(owner, project))["in_progress"]
    tasks = [await make_task(owner, project) for _ in range(WRITERS)]

    async def come_and_go(task: dict[str, Any]) -> list[Response]:
        path, answers = f"/tasks/{task['id']}", []
        for _ in range(6):
            answers += [await owner.patch(path, {"status": key}) for key in ("in_progress", "todo")]
        return answers

    async def go() -> Response:
        """Again where tasks kept coming, as a caller would."""
        answer = await owner.delete(f"/statuses/{status['id']}?move_to=done")
        return await go() if answer.status_code == 409 else answer

    deleted, moved = await gather(go(), gather(*map(come_and_go, tasks)))
    assert deleted.status_code == 204, deleted.text
    refusals = [answer for answers in moved for answer in answers if answer.status_code != 200]
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in refusals} <= {
        (422, "VALIDATION_ERROR"),
        (409, "STATUS_REMOVED"),
    }
    items = (await owner.get(f"/projects/{project['id']}/tasks")).json()["items"]
    assert {item["status"] for item in items} <= {"todo", "done"}
    assert all((item["completed_at"] is not None) == (item["status"] == "done") for item in items)
    await check_versions(owner, project)


async def test_a_task_that_comes_in_the_last_moment_is_moved_too(
    owner: Caller, project: dict[str, Any], database: Database
) -> None:
    status = (await statuses_of(owner, project))["in_progress"]
    task = await make_task(owner, project)
    async with database.system_transaction() as session:
        coming = TaskUpdate(status="in_progress")
        await TaskService(session).update(owner.actor, UUID(task["id"]), coming, Precondition())
        answer = await start(database, owner.delete(f"/statuses/{status['id']}?move_to=done"))
        assert not answer.done()
    assert (await answer).status_code == 204
    assert (await owner.get(f"/tasks/{task['id']}")).json()["status"] == "done"
    told = Counter(change["type"] for change in await changes_in(owner, project))
    assert (told["status.deleted"], told["task.updated"]) == (1, 2)
    await check_versions(owner, project)


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_a_task_that_comes_too_late_is_told_why(
    owner: Caller, project: dict[str, Any], database: Database, method: str
) -> None:
    status = (await statuses_of(owner, project))["in_progress"]
    task = await make_task(owner, project)
    path = f"/tasks/{task['id']}" if method == "PATCH" else f"/projects/{project['id']}/tasks"
    async with database.system_transaction() as session:
        await RemovalService(session).delete_status(owner.actor, UUID(status["id"]), None, Precondition())
        body = {"title": "Late", "status": "in_progress"}
        answer = await start(database, owner.request(method, path, json=body))
        assert not answer.done()
    refusal = await answer
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (409, "STATUS_REMOVED")


async def test_a_status_stays_when_tasks_keep_coming(
    owner: Caller, project: dict[str, Any], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glasswork.features.removals.repository.REPEATS", 0)
    status = (await statuses_of(owner, project))["in_progress"]
    task = await make_task(owner, project)
    async with database.system_transaction() as session:
        coming = TaskUpdate(status="in_progress")
        await TaskService(session).update(owner.actor, UUID(task["id"]), coming, Precondition())
        answer = await start(database, owner.delete(f"/statuses/{status['id']}"))
        assert not answer.done()
    assert (await answer).json()["error"]["code"] == "STATUS_IN_USE"
    assert (await owner.get(f"/statuses/{status['id']}")).json() == status


async def test_statuses_that_move_at_once_stand_in_one_order(owner: Caller, project: dict[str, Any]) -> None:
    for _ in range(7):
        await make_status(owner, project)
    statuses = list((await statuses_of(owner, project)).values())
    answers = await gather(
        *(
            owner.patch(f"/statuses/{statuses[n % 10]['id']}", {"position": (n * 7) % 10, "name": f"{n}"})
            for n in range(30)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    after = await statuses_of(owner, project)
    assert {each["id"] for each in after.values()} == {each["id"] for each in statuses}
    await check_versions(owner, project)


async def test_a_label_of_the_workspace_goes_from_the_tasks_of_all_projects(
    owner: Caller, project: dict[str, Any]
) -> None:
    workspace = {"id": project["workspace_id"]}
    label = await make_workspace_label(owner, workspace)
    projects = [project, *[await make_project(owner, workspace) for _ in range(3)]]
    tasks = [await make_task(owner, each, label_ids=[label["id"]]) for each in projects for _ in range(2)]
    await owner.delete(f"/projects/{projects[3]['id']}")
    await owner.delete(f"/tasks/{tasks[0]['id']}")
    edits = (owner.patch(f"/tasks/{task['id']}", {"label_ids": []}) for task in tasks[1:6])
    deleted, *edited = await gather(owner.delete(f"/labels/{label['id']}"), *edits)
    assert deleted.status_code == 204, deleted.text
    assert {answer.status_code for answer in edited} == {200}
    shown = [(await owner.get(f"/tasks/{task['id']}")).json() for task in tasks[1:6]]
    assert [(task["label_ids"], task["version"]) for task in shown] == [([], 2)] * 5
    told = Counter(change["type"] for change in await changes_in(owner, project))
    assert (told["label.deleted"], told["task.updated"]) == (1, 5)
    await check_versions(owner, project)


async def test_a_task_that_loses_the_label_in_the_last_moment_is_left_alone(
    owner: Caller, project: dict[str, Any], database: Database
) -> None:
    label = await make_label(owner, project)
    task = await make_task(owner, project, label_ids=[label["id"]])
    async with database.system_transaction() as session:
        bare = TaskUpdate(label_ids=[])
        await TaskService(session).update(owner.actor, UUID(task["id"]), bare, Precondition())
        answer = await start(database, owner.delete(f"/labels/{label['id']}"))
        assert not answer.done()
    assert (await answer).status_code == 204
    assert (await owner.get(f"/tasks/{task['id']}")).json()["version"] == 2
    assert (await changes_in(owner, project))[-1]["type"] == "label.deleted"


@pytest.mark.parametrize("is_new", [True, False])
async def test_a_label_that_is_given_in_the_last_moment_is_taken_off(
    owner: Caller, project: dict[str, Any], database: Database, *, is_new: bool
) -> None:
    label = await make_label(owner, project)
    task = await make_task(owner, project)
    label_ids = [UUID(label["id"])]
    async with database.system_transaction() as session:
        service = TaskService(session)
        if is_new:
            new = TaskCreate(title="New", label_ids=label_ids)
            task_id = (await service.create(owner.actor, UUID(project["id"]), new)).id
        else:
            task_id, labelled = UUID(task["id"]), TaskUpdate(label_ids=label_ids)
            await service.update(owner.actor, task_id, labelled, Precondition())
        answer = await start(database, owner.delete(f"/labels/{label['id']}"))
        assert not answer.done()
    assert (await answer).status_code == 204
    assert (await owner.get(f"/tasks/{task_id}")).json()["label_ids"] == []
    last = (await changes_in(owner, project))[-1]
    assert (last["type"], last["subject"]["id"]) == ("task.updated", str(task_id))
    assert (last["before"]["label_ids"], last["after"]["label_ids"]) == ([label["id"]], [])
    await check_versions(owner, project)
