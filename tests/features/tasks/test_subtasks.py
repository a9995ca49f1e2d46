from asyncio import Semaphore, gather
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from glasswork.core.concurrency import Precondition
from glasswork.features.tasks.schemas import TaskUpdate
from glasswork.features.tasks.service import TaskService
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.features.workspaces.waiting import start

pytestmark = pytest.mark.anyio


async def make_chain(caller: Caller, project: dict[str, Any], length: int) -> list[dict[str, Any]]:
    """Each task is a part of the one before."""
    chain = [await make_task(caller, project)]
    for _ in range(length - 1):
        chain.append(await make_task(caller, project, parent_id=chain[-1]["id"]))
    return chain


async def get(caller: Caller, task: dict[str, Any]) -> Any:
    answer = await caller.get(f"/tasks/{task['id']}")
    return answer.json() if answer.status_code == 200 else None


async def changes(caller: Caller, task: dict[str, Any]) -> list[tuple[str, str]]:
    items = (await caller.get(f"/workspaces/{task['workspace_id']}/changes")).json()["items"]
    return [(change["type"], change["subject"]["id"]) for change in items]


def fault(answer: Any) -> tuple[int, list[str], str]:
    error = answer.json()["error"]["details"]["errors"][0]
    return answer.status_code, error["loc"], error["code"]


class TestParent:
    @pytest.mark.parametrize("which", ["nothing", "foreign", "deleted", "elsewhere"])
    async def test_refuses_what_it_cannot_be_a_part_of(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], which: str
    ) -> None:
        task, deleted = [await make_task(owner, project) for _ in range(2)]
        await owner.delete(f"/tasks/{deleted['id']}")
        foreign = await make_task(owner, await make_project(owner, workspace))
        elsewhere = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        ids = {"nothing": str(uuid7()), "foreign": foreign["id"], "deleted": deleted["id"]}
        parent_id = (ids | {"elsewhere": elsewhere["id"]})[which]
        body = {"title": "New", "parent_id": parent_id}
        refusal = (422, ["body", "parent_id"], "unknown_parent")
        assert fault(await owner.patch(f"/tasks/{task['id']}", body)) == refusal
        assert fault(await owner.post(f"/projects/{project['id']}/tasks", body)) == refusal
        assert await get(owner, task) == task

    async def test_refuses_a_circle_and_tells_the_way(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        await make_project(owner, workspace)
        a, b, c = await make_chain(owner, project, 3)
        for parent, path in (
            (c, [a["key"], c["key"], b["key"], a["key"]]),
            (b, [a["key"], b["key"], a["key"]]),
            (a, [a["key"], a["key"]]),
        ):
            answer = await owner.patch(f"/tasks/{a['id']}", {"parent_id": parent["id"]})
            assert fault(answer) == (422, ["body", "parent_id"], "cycle")
            assert answer.json()["error"]["details"]["path"] == path
        assert await get(owner, a) == a

    async def test_a_deleted_task_is_part_of_the_circle(self, owner: Caller, project: dict[str, Any]) -> None:
        a, b, c = await make_chain(owner, project, 3)
        await owner.patch(f"/tasks/{b['id']}", {"parent_id": None})
        assert (await owner.patch(f"/tasks/{a['id']}", {"parent_id": c["id"]})).status_code == 200

    async def test_refuses_more_than_ten_levels(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        await make_project(owner, workspace)
        chain = await make_chain(owner, project, 9)
        pair = await make_chain(owner, project, 2)
        deep = {"parent_id": chain[-1]["id"]}
        answer = await owner.patch(f"/tasks/{pair[0]['id']}", deep)
        assert fault(answer) == (422, ["body", "parent_id"], "too_deep")
        assert (await owner.patch(f"/tasks/{pair[1]['id']}", deep)).status_code == 200
        answer = await owner.post(
            f"/projects/{project['id']}/tasks", {"title": "New", "parent_id": pair[1]["id"]}
        )
        assert fault(answer) == (422, ["body", "parent_id"], "too_deep")

    async def test_is_set_changed_and_cleared(self, owner: Caller, project: dict[str, Any]) -> None:
        a, b, part = [await make_task(owner, project) for _ in range(3)]
        for version, parent in ((2, a), (3, b), (4, None)):
            body = {"parent_id": parent and parent["id"]}
            answer = (await owner.patch(f"/tasks/{part['id']}", body)).json()
            assert (answer["parent_id"], answer["version"]) == (body["parent_id"], version)
            assert (await owner.patch(f"/tasks/{part['id']}", body)).json() == answer

    async def test_crossing_changes_make_no_circle(self, committing_callers: Callers) -> None:
        """Four different tasks, so that no lock of a task is in the way of both."""
        owner = await committing_callers.user()
        project = await make_project(owner, await make_workspace(owner))
        a, d = await make_chain(owner, project, 2)
        c, b = await make_chain(owner, project, 2)
        async with committing_callers.database.system_transaction() as session:
            change = TaskUpdate(parent_id=UUID(b["id"]))
            await TaskService(session).update(owner.actor, UUID(a["id"]), change, Precondition())
            crossing = owner.patch(f"/tasks/{c['id']}", {"parent_id": d["id"]})
            answer = await start(committing_callers.database, crossing)
            assert not answer.done()
        assert fault(await answer) == (422, ["body", "parent_id"], "cycle")


class TestDeletion:
    async def test_takes_what_is_below_along_and_brings_it_back(self, committing_callers: Callers) -> None:
        owner = await committing_callers.user()
        project = await make_project(owner, await make_workspace(owner))
        a, b, c = await make_chain(owner, project, 3)
        beside = await make_task(owner, project, parent_id=a["id"])
        await owner.delete(f"/tasks/{c['id']}")
        assert (await owner.delete(f"/tasks/{a['id']}", if_match='"1"')).status_code == 204
        assert [await get(owner, task) for task in (a, b, beside)] == [None] * 3
        told = await changes(owner, a)
        assert sorted(told[-3:]) == sorted(("task.deleted", task["id"]) for task in (a, b, beside))
        assert (await owner.post(f"/tasks/{a['id']}/restore")).json()["version"] == 3
        told = await changes(owner, a)
        assert sorted(told[-3:]) == sorted(("task.restored", task["id"]) for task in (a, b, beside))
        assert (await get(owner, b))["parent_id"] == a["id"]
        assert await get(owner, c) is None  # it went before

    async def test_of_a_part_leaves_the_whole(self, owner: Caller, project: dict[str, Any]) -> None:
        a, b, c = await make_chain(owner, project, 3)
        await owner.delete(f"/tasks/{b['id']}")
        assert await get(owner, a) == a
        assert await get(owner, c) is None

    async def test_what_comes_back_alone_is_no_part_of_what_is_gone(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        a, b, c = await make_chain(owner, project, 3)
        await owner.delete(f"/tasks/{a['id']}")
        alone = (await owner.post(f"/tasks/{b['id']}/restore")).json()
        assert (alone["parent_id"], alone["version"]) == (None, 3)
        assert (await get(owner, c))["parent_id"] == b["id"]
        await owner.post(f"/tasks/{a['id']}/restore")
        assert (await get(owner, b)) == alone

    async def test_completing_the_whole_leaves_the_parts(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        a, b = await make_chain(owner, project, 2)
        await owner.put(f"/tasks/{a['id']}/completion")
        assert await get(owner, b) == b

    @pytest.mark.parametrize("first", ["delete", "create"])
    async def test_a_part_that_comes_while_the_whole_goes(
        self, committing_callers: Callers, first: str
    ) -> None:
        """It is refused, or it goes too."""
        owner = await committing_callers.user()
        project = await make_project(owner, await make_workspace(owner))
        whole = await make_task(owner, project)
        create = owner.post(f"/projects/{project['id']}/tasks", {"title": "Part", "parent_id": whole["id"]})
        delete = owner.delete(f"/tasks/{whole['id']}")
        async with committing_callers.database.system_transaction() as session:
            title = TaskUpdate(title="Held")
            await TaskService(session).update(owner.actor, UUID(whole["id"]), title, Precondition())
            answers = [await start(committing_callers.database, delete if first == "delete" else create)]
            answers += [await start(committing_callers.database, create if first == "delete" else delete)]
        statuses = {(await answer).status_code for answer in answers}
        # Who waits first is mostly served first, but the row that they wait for has a new version then.
        assert statuses in ({204, 422}, {204, 201})
        left = (await owner.get(f"/projects/{project['id']}/tasks")).json()["items"]
        assert left == []

    async def test_crossing_deletions_and_parents_end(self, committing_callers: Callers) -> None:
        owner = await committing_callers.user()
        project = await make_project(owner, await make_workspace(owner))
        tasks = [await make_task(owner, project) for _ in range(8)]
        connections = Semaphore(20)

        async def act(n: int) -> int:
            one, other = tasks[n % 8], tasks[n * 5 % 7]
            async with connections:
                if n % 3 == 0:
                    return (await owner.delete(f"/tasks/{one['id']}")).status_code
                if n % 3 == 1:
                    return (await owner.post(f"/tasks/{other['id']}/restore")).status_code
                body = {"parent_id": other["id"]}
                return (await owner.patch(f"/tasks/{one['id']}", body)).status_code

        statuses = await gather(*(act(n) for n in range(60)))
        assert set(statuses) <= {200, 204, 404, 422}, statuses
