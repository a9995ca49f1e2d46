from asyncio import gather
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.features.relations.schemas import RelationCreate, Side
from glasswork.features.relations.service import RelationService
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.features.workspaces.roles import by_role, with_role
from tests.features.workspaces.waiting import start

pytestmark = pytest.mark.anyio

Task = dict[str, Any]


async def relate(caller: Caller, one: Task, kind: str, other: Task) -> Any:
    return await caller.post(f"/tasks/{one['id']}/relations", {"kind": kind, "task_id": other["id"]})


async def related(caller: Caller, task: Task) -> list[tuple[str, str]]:
    items = (await caller.get(f"/tasks/{task['id']}/relations")).json()["items"]
    return [(item["kind"], item["task"]["id"]) for item in items]


def fault(answer: Any) -> tuple[int, list[str], str]:
    error = answer.json()["error"]["details"]["errors"][0]
    return answer.status_code, error["loc"], error["code"]


@pytest.fixture
async def tasks(owner: Caller, project: dict[str, Any]) -> list[Task]:
    return [await make_task(owner, project) for _ in range(4)]


class TestRefusals:
    @by_role(viewer=403, member=201, admin=201, owner=201)
    async def test_to_relate_is_for_those_who_work_there(
        self, callers: Callers, workspace: dict[str, Any], tasks: list[Task], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await relate(caller, tasks[0], "blocks", tasks[1])).status_code == status

    @by_role(viewer=403, member=204, admin=204, owner=204)
    async def test_to_take_it_back_too(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        tasks: list[Task],
        role: Role,
        status: int,
    ) -> None:
        relation = (await relate(owner, tasks[0], "blocks", tasks[1])).json()
        caller = await with_role(callers, workspace, role)
        answer = await caller.delete(f"/tasks/{tasks[1]['id']}/relations/{relation['id']}")
        assert answer.status_code == status
        assert len(await related(owner, tasks[0])) == (status != 204)

    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_to_look_is_for_members(
        self, callers: Callers, workspace: dict[str, Any], task: Task, role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.get(f"/tasks/{task['id']}/relations")).status_code == status

    @pytest.mark.parametrize("which", ["nothing", "itself", "deleted", "elsewhere"])
    async def test_refuses_a_task_that_it_cannot_have(
        self, owner: Caller, tasks: list[Task], which: str
    ) -> None:
        elsewhere = await make_task(owner, await make_project(owner, await make_workspace(owner)))
        await owner.delete(f"/tasks/{tasks[1]['id']}")
        others = {"nothing": {"id": str(uuid7())}, "itself": tasks[0], "deleted": tasks[1]}
        for kind in Side:
            answer = await relate(owner, tasks[0], kind, (others | {"elsewhere": elsewhere})[which])
            assert fault(answer) == (422, ["body", "task_id"], "unknown_task")

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (("blocks", 0, 1), ("blocks", 0, 1)),
            (("blocks", 0, 1), ("blocked_by", 1, 0)),
            (("relates", 0, 1), ("relates", 0, 1)),
            (("relates", 0, 1), ("relates", 1, 0)),
            (("duplicated_by", 0, 1), ("duplicates", 1, 0)),
        ],
    )
    async def test_the_same_twice_is_once(
        self, owner: Caller, tasks: list[Task], first: Any, second: Any
    ) -> None:
        answers = [
            await relate(owner, tasks[one], kind, tasks[other]) for kind, one, other in (first, second)
        ]
        assert [answer.status_code for answer in answers] == [201, 409]
        assert answers[1].json()["error"]["code"] == "RELATION_EXISTS"
        assert len(await related(owner, tasks[0])) == len(await related(owner, tasks[1])) == 1

    async def test_what_blocks_comes_not_back_to_itself(self, owner: Caller, tasks: list[Task]) -> None:
        a, b, c, d = tasks
        await relate(owner, a, "blocks", b)
        await relate(owner, c, "blocked_by", b)
        await relate(owner, a, "blocks", d)
        await relate(owner, d, "blocks", c)
        for one, kind, other, path in (
            (b, "blocks", a, (b, a, b)),
            (a, "blocked_by", b, (b, a, b)),
            (c, "blocks", b, (c, b, c)),
        ):
            answer = await relate(owner, one, kind, other)
            assert fault(answer) == (422, ["body", "task_id"], "cycle")
            assert answer.json()["error"]["details"]["path"] == [task["key"] for task in path]
        long = (await relate(owner, c, "blocks", a)).json()["error"]["details"]["path"]
        assert long in [[task["key"] for task in (c, a, way, c)] for way in (b, d)]
        assert (await relate(owner, c, "relates", a)).status_code == 201

    async def test_a_deleted_task_is_part_of_the_circle(self, owner: Caller, tasks: list[Task]) -> None:
        a, b, c, _ = tasks
        await relate(owner, a, "blocks", b)
        await relate(owner, b, "blocks", c)
        await owner.delete(f"/tasks/{b['id']}")
        assert (await relate(owner, c, "blocks", a)).status_code == 422

    async def test_has_at_most_a_hundred(self, owner: Caller, callers: Callers, tasks: list[Task]) -> None:
        many = text(
            "WITH made AS ("
            " INSERT INTO tasks (workspace_id, id, project_id, number, title, description, status_id,"
            " priority, created_by, position, version)"
            " SELECT workspace_id, gen_random_uuid(), project_id, 100 + n, 'T', '', status_id,"
            " 'none', created_by, 'c' || n, 1"
            " FROM tasks, generate_series(100, 199) AS n WHERE id = :id RETURNING workspace_id, id"
            ") INSERT INTO relations (workspace_id, id, kind, from_id, to_id, version)"
            " SELECT workspace_id, gen_random_uuid(), 'duplicates', id, :id, 1 FROM made"
        )
        async with callers.database.system_transaction() as session:
            await session.execute(many, {"id": UUID(tasks[0]["id"])})
        for one, other in ((0, 1), (1, 0)):
            answer = await relate(owner, tasks[one], "blocks", tasks[other])
            assert fault(answer) == (422, ["body", "task_id"], "too_many")
        some = (await owner.get(f"/tasks/{tasks[0]['id']}/relations", limit=1)).json()["items"][0]
        await owner.delete(f"/tasks/{tasks[0]['id']}/relations/{some['id']}")
        assert (await relate(owner, tasks[0], "blocks", tasks[1])).status_code == 201

    async def test_is_found_only_at_its_tasks(self, owner: Caller, tasks: list[Task]) -> None:
        relation = (await relate(owner, tasks[0], "blocks", tasks[1])).json()
        for task, code in ((tasks[2], "RELATION_NOT_FOUND"), ({"id": uuid7()}, "TASK_NOT_FOUND")):
            for method in ("GET", "DELETE"):
                answer = await owner.request(method, f"/tasks/{task['id']}/relations/{relation['id']}")
                assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)

    async def test_refuses_a_stale_etag(self, owner: Caller, tasks: list[Task]) -> None:
        relation = (await relate(owner, tasks[0], "blocks", tasks[1])).json()
        path = f"/tasks/{tasks[0]['id']}/relations/{relation['id']}"
        statuses = [(await owner.delete(path, if_match=etag)).status_code for etag in ('"2"', '"1"', "*")]
        assert statuses == [412, 204, 404]


@pytest.mark.parametrize(
    ("kind", "inverse"),
    [
        ("blocks", "blocked_by"),
        ("blocked_by", "blocks"),
        ("relates", "relates"),
        ("duplicates", "duplicated_by"),
        ("duplicated_by", "duplicates"),
    ],
)
async def test_is_seen_from_either_side(
    owner: Caller, workspace: dict[str, Any], tasks: list[Task], kind: str, inverse: str
) -> None:
    other = await make_task(owner, await make_project(owner, workspace), status="done")
    for one, another in ((tasks[0], other), (other, tasks[1])):
        answer = await relate(owner, one, kind, another)
        made = answer.json()
        assert made == {
            "id": made["id"],
            "workspace_id": workspace["id"],
            "kind": kind,
            "task": {name: another[name] for name in ("id", "key", "title", "status")},
            "version": 1,
            "created_at": made["created_at"],
            "updated_at": made["created_at"],
        }
        place = f"/tasks/{one['id']}/relations/{made['id']}"
        assert answer.headers["Location"] == f"/api/v1{place}"
        assert (await owner.get(place)).json() == made
        assert (inverse, one["id"]) in await related(owner, another)
    assert await related(owner, other) == [(inverse, tasks[0]["id"]), (kind, tasks[1]["id"])]
    changes = (await owner.get(f"/workspaces/{workspace['id']}/changes")).json()["items"]
    assert [change["type"] for change in changes[-2:]] == ["relation.created"] * 2


async def test_is_hidden_while_a_task_is_deleted(owner: Caller, tasks: list[Task]) -> None:
    relation = (await relate(owner, tasks[0], "blocks", tasks[1])).json()
    place = f"/tasks/{tasks[0]['id']}/relations/{relation['id']}"
    await owner.delete(f"/tasks/{tasks[1]['id']}")
    assert await related(owner, tasks[0]) == []
    assert (await owner.get(f"/tasks/{tasks[1]['id']}/relations")).status_code == 404
    assert [(await owner.request(method, place)).status_code for method in ("GET", "DELETE")] == [404, 404]
    await owner.post(f"/tasks/{tasks[1]['id']}/restore")
    assert await related(owner, tasks[0]) == [("blocks", tasks[1]["id"])]
    await owner.delete(place)
    assert await related(owner, tasks[1]) == []


async def test_is_hidden_from_either_side_when_a_project_is_deleted(
    owner: Caller, workspace: dict[str, Any], project: dict[str, Any], tasks: list[Task]
) -> None:
    other = await make_task(owner, await make_project(owner, workspace))
    relation = (await relate(owner, tasks[0], "blocks", other)).json()
    await owner.delete(f"/projects/{project['id']}")
    assert await related(owner, other) == []
    for path in ("", f"/{relation['id']}"):
        answer = await owner.get(f"/tasks/{tasks[0]['id']}/relations{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "TASK_NOT_FOUND")
    assert (await owner.delete(f"/tasks/{tasks[0]['id']}/relations/{relation['id']}")).status_code == 404


async def test_of_crossing_blocks_one_is_refused(committing_callers: Callers) -> None:
    """Four different tasks, so that no lock of a task is in the way of both."""
    owner, database = await committing_callers.user(), committing_callers.database
    project = await make_project(owner, await make_workspace(owner))
    a, b, c, d = [await make_task(owner, project) for _ in range(4)]
    await relate(owner, b, "blocks", c)
    await relate(owner, d, "blocks", a)
    async with database.system_transaction() as session:
        new = RelationCreate(kind=Side.BLOCKS, task_id=UUID(b["id"]))
        await RelationService(session).create(owner.actor, UUID(a["id"]), new)
        answer = await start(database, relate(owner, c, "blocks", d))
        assert not answer.done()
    assert fault(await answer) == (422, ["body", "task_id"], "cycle")


async def test_the_same_at_once_is_once(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    project = await make_project(owner, await make_workspace(owner))
    a, b = [await make_task(owner, project) for _ in range(2)]
    pairs = [(a, b), (b, a)] * 4
    answers = await gather(*(relate(owner, one, "relates", other) for one, other in pairs))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
