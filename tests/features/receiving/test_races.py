"""What comes twice at the same time is done once."""

from asyncio import gather
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.core.concurrency import Precondition
from glasswork.features.hooks.service import HookService
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_hook, make_project, make_task, make_workspace
from tests.features.workspaces.waiting import start

from .conftest import MAPPING
from .senders import Github, Program, code_of, encoded, push

pytestmark = pytest.mark.anyio

BODY = encoded({"issue": {"title": "T"}})


@pytest.fixture
async def owner(committing_callers: Callers) -> Caller:
    return await committing_callers.user()


@pytest.fixture
async def workspace(owner: Caller) -> dict[str, Any]:
    return await make_workspace(owner)


@pytest.fixture
async def project(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_project(owner, workspace, key="OPS")


@pytest.fixture
async def program(owner: Caller, workspace: dict[str, Any], project: dict[str, Any]) -> Program:
    fields = {"kind": "json", "project_id": project["id"], "mapping": MAPPING}
    return Program(owner.client, await make_hook(owner, workspace, **fields))


async def test_one_of_many_with_the_same_id_has_its_effect(
    owner: Caller, project: dict[str, Any], program: Program
) -> None:
    answers = await gather(*(program.send(BODY, program.sign(BODY, "a")) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    tasks = (await owner.get(f"/projects/{project['id']}/tasks")).json()["items"]
    assert [task["key"] for task in tasks] == ["OPS-1"]


async def test_one_of_many_with_the_same_signature_has_its_effect(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    task, github = await make_task(owner, project), Github(owner.client, await make_hook(owner, workspace))
    body = encoded(push(f"Fixes {task['key']}"))
    answers = await gather(*(github.send(body, github.sign(body)) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    told = (await owner.get(f"/tasks/{task['id']}/activity")).json()["items"]
    assert [item["type"] for item in told] == ["task.updated", "link.created", "task.created"]


@pytest.mark.parametrize("commits", [True, False])
async def test_who_comes_second_waits_to_know(
    committing_callers: Callers, program: Program, commits: bool
) -> None:
    """Where the first one fails it was not taken, and the second is."""
    database, hook = committing_callers.database, program.hook
    taken = text(
        "INSERT INTO received_messages (workspace_id, id, hook_id, message_id)"
        " VALUES (:workspace_id, :id, :hook_id, 'a')"
    )
    ids = {"workspace_id": UUID(hook["workspace_id"]), "hook_id": UUID(hook["id"]), "id": uuid7()}
    async with database.system_transaction() as session:
        await session.execute(taken, ids)
        answer = await start(database, program.send(BODY, program.sign(BODY, "a")))
        assert not answer.done()
        if not commits:
            await session.rollback()
    got = await answer
    assert got.status_code == (409 if commits else 200)


async def test_a_hook_that_is_being_deleted_takes_nothing(
    committing_callers: Callers, owner: Caller, program: Program, project: dict[str, Any]
) -> None:
    database = committing_callers.database
    async with database.transaction(owner.actor) as session:
        hooks = HookService(session, committing_callers.keys, "")
        await hooks.delete(owner.actor, UUID(program.hook["id"]), Precondition())
        answer = await start(database, program.send(BODY, program.sign(BODY)))
        assert not answer.done()
    assert code_of(await answer) == (404, "HOOK_NOT_FOUND")
    assert (await owner.get(f"/projects/{project['id']}/tasks")).json()["items"] == []


async def test_messages_of_one_hook_do_not_wait_for_each_other(
    owner: Caller, program: Program, committing_callers: Callers
) -> None:
    async with committing_callers.database.transaction(owner.actor) as session:
        hooks = HookService(session, committing_callers.keys, "")
        await hooks.change_secret(owner.actor, UUID(program.hook["id"]))
        answer = await start(committing_callers.database, program.tell({"issue": {"title": "T"}}))
        assert answer.done()
        assert (await answer).status_code == 200


async def test_pushes_that_name_the_same_tasks_all_end(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
) -> None:
    keys = [(await make_task(owner, project))["key"] for _ in range(6)]
    github = Github(owner.client, await make_hook(owner, workspace))
    orders = [keys, keys[::-1], keys[3:] + keys[:3], keys[::2] + keys[1::2]]
    answers = await gather(*(github.push(f"Fixes {', '.join(order)}") for order in orders))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert {tuple(answer.json()["completed"]) for answer in answers} == {tuple(sorted(keys))}
