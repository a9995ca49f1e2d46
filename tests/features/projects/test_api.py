from asyncio import gather
from collections import Counter
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

NEW = {"name": "Operations", "key": "OPS"}


def path_of(workspace: dict[str, Any]) -> str:
    return f"/workspaces/{workspace['id']}/projects"


class TestCreate:
    @by_role(viewer=403, member=201, admin=201, owner=201)
    async def test_is_for_those_who_work_there(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(path_of(workspace), NEW)).status_code == status
        items = (await owner.get(path_of(workspace))).json()["items"]
        assert [item["key"] for item in items] == (["OPS"] if status == 201 else [])

    async def test_refuses_a_taken_key(self, owner: Caller, workspace: dict[str, Any]) -> None:
        await make_project(owner, workspace, **NEW)
        response = await owner.post(path_of(workspace), NEW | {"name": "Other"})
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "PROJECT_KEY_TAKEN"

    async def test_takes_the_key_of_another_workspace(self, owner: Caller, workspace: dict[str, Any]) -> None:
        await make_project(owner, await make_workspace(owner), **NEW)
        assert (await owner.post(path_of(workspace), NEW)).status_code == 201

    async def test_takes_the_key_of_a_deleted_project(self, owner: Caller, workspace: dict[str, Any]) -> None:
        deleted = await make_project(owner, workspace, **NEW)
        await owner.delete(f"/projects/{deleted['id']}")
        assert (await owner.post(path_of(workspace), NEW)).status_code == 201

    async def test_refuses_bad_input(self, owner: Caller, workspace: dict[str, Any]) -> None:
        faults: list[dict[str, Any]] = [
            *({"key": key} for key in ("A", "ops", "1A", "A" * 11, "ÄÄ", None)),
            *({"name": name} for name in (" ", "a" * 101, None)),
            *({"description": text} for text in ("a\0", "a" * 10_001, None)),
            {"id": "mine"},
        ]
        for fault in faults:
            response = await owner.post(path_of(workspace), NEW | fault)
            assert response.status_code == 422, fault
            assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", *fault]

    async def test_answers_the_project(self, owner: Caller, workspace: dict[str, Any]) -> None:
        response = await owner.post(path_of(workspace), NEW | {"description": "*Markdown*\n"})
        made = response.json()
        assert response.status_code == 201
        assert made == NEW | {
            "id": made["id"],
            "workspace_id": workspace["id"],
            "description": "*Markdown*\n",
            "created_by": str(owner.id),
            "version": 1,
            "created_at": made["created_at"],
            "updated_at": made["created_at"],
        }
        assert response.headers["ETag"] == '"1"'
        assert response.headers["Location"] == f"/api/v1/projects/{made['id']}"
        assert (await owner.get(f"/projects/{made['id']}")).json() == made

    async def test_gives_a_key_once(self, committing_callers: Callers) -> None:
        owner = await committing_callers.user()
        workspace = await make_workspace(owner)
        responses = await gather(*(owner.post(path_of(workspace), NEW) for _ in range(6)))
        assert Counter(response.status_code for response in responses) == {201: 1, 409: 5}


class TestStatuses:
    async def test_outsider_sees_none(self, callers: Callers, project: dict[str, Any]) -> None:
        response = await (await callers.user()).get(f"/projects/{project['id']}/statuses")
        assert response.json()["error"]["code"] == "PROJECT_NOT_FOUND"

    async def test_new_project_has_three_in_order(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        await make_project(owner, workspace)
        viewer = await callers.member(workspace["id"], Role.VIEWER)
        items = (await viewer.get(f"/projects/{project['id']}/statuses")).json()["items"]
        assert [(item["key"], item["name"], item["category"], item["position"]) for item in items] == [
            ("todo", "To do", "todo", 0),
            ("in_progress", "In progress", "in_progress", 1),
            ("done", "Done", "done", 2),
        ]
        assert {item["project_id"] for item in items} == {project["id"]}

    async def test_pages_backwards(self, owner: Caller, project: dict[str, Any]) -> None:
        path = f"/projects/{project['id']}/statuses"
        first = (await owner.get(path, sort="-position", limit=2, total=True)).json()
        second = (await owner.get(path, sort="-position", limit=2, cursor=first["next_cursor"])).json()
        items = first["items"] + second["items"]
        assert [item["key"] for item in items] == ["done", "in_progress", "todo"]
        assert first["total"] == 3


class TestList:
    async def test_outsider_sees_nothing(self, callers: Callers, project: dict[str, Any]) -> None:
        path = f"/workspaces/{project['workspace_id']}/projects"
        response = await (await callers.user()).get(path)
        assert response.json()["error"]["code"] == "WORKSPACE_NOT_FOUND"

    async def test_shows_those_of_the_workspace(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        await make_project(owner, await make_workspace(owner))
        deleted = await make_project(owner, workspace)
        await owner.delete(f"/projects/{deleted['id']}")
        assert (await owner.get(path_of(workspace))).json()["items"] == [project]

    @pytest.mark.parametrize(
        ("sort", "keys"),
        [
            ("key", ["AA", "BB", "CC"]),
            ("-key", ["CC", "BB", "AA"]),
            ("name", ["BB", "AA", "CC"]),
            ("-created_at", ["CC", "BB", "AA"]),
        ],
    )
    async def test_pages_through_each_sort(
        self, owner: Caller, workspace: dict[str, Any], sort: str, keys: list[str]
    ) -> None:
        for key, name in (("AA", "alpha"), ("BB", "Zeta"), ("CC", "beta")):
            await make_project(owner, workspace, key=key, name=name)
        first = (await owner.get(path_of(workspace), sort=sort, limit=2, total=True)).json()
        cursor = first["next_cursor"]
        second = (await owner.get(path_of(workspace), sort=sort, limit=2, cursor=cursor)).json()
        assert [item["key"] for item in first["items"] + second["items"]] == keys
        assert first["total"] == 3


class TestGet:
    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_is_for_members(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        project: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        response = await caller.get(f"/projects/{project['id']}")
        assert response.status_code == status
        if role:
            assert response.json() == project
            assert response.headers["ETag"] == '"1"'

    async def test_unknown_one_is_not_found(self, owner: Caller) -> None:
        response = await owner.get(f"/projects/{uuid7()}")
        assert response.json()["error"]["code"] == "PROJECT_NOT_FOUND"

    async def test_goes_with_its_workspace(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        await owner.delete(f"/workspaces/{workspace['id']}")
        assert (await owner.get(f"/projects/{project['id']}")).status_code == 404


class TestUpdate:
    @by_role(viewer=403, member=403, admin=200, owner=200)
    async def test_is_for_admins(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        project: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        path = f"/projects/{project['id']}"
        caller = await with_role(callers, workspace, role)
        assert (await caller.patch(path, {"name": "New"})).status_code == status
        assert (await owner.get(path)).json()["name"] == ("New" if status == 200 else project["name"])

    async def test_refuses_a_stale_etag(self, owner: Caller, project: dict[str, Any]) -> None:
        path = f"/projects/{project['id']}"
        response = await owner.patch(path, {"name": "New"}, if_match='"2"')
        assert response.status_code == 412
        assert response.json()["error"]["details"] == {"current_etag": '"1"', "fields": ["name"]}
        assert (await owner.get(path)).json() == project

    @pytest.mark.parametrize("body", [{"name": None}, {"description": None}, {"key": "NEW"}])
    async def test_refuses_bad_input(
        self, owner: Caller, project: dict[str, Any], body: dict[str, Any]
    ) -> None:
        assert (await owner.patch(f"/projects/{project['id']}", body)).status_code == 422

    @pytest.mark.parametrize("changes", [{"name": "New"}, {"description": "New"}])
    async def test_changes_what_is_sent(
        self, owner: Caller, project: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        path = f"/projects/{project['id']}"
        response = await owner.patch(path, changes, if_match='"1"')
        assert response.json() == project | changes | {
            "version": 2,
            "updated_at": response.json()["updated_at"],
        }
        assert response.headers["ETag"] == '"2"'
        assert (await owner.patch(path, changes)).headers["ETag"] == '"2"'
        assert (await owner.get(path)).json() == response.json()


class TestDelete:
    @by_role(viewer=403, member=403, admin=204, owner=204)
    async def test_is_for_admins(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        project: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        path = f"/projects/{project['id']}"
        caller = await with_role(callers, workspace, role)
        assert (await caller.delete(path)).status_code == status
        assert (await owner.get(path)).status_code == (404 if status == 204 else 200)

    async def test_refuses_a_stale_etag(self, owner: Caller, project: dict[str, Any]) -> None:
        path = f"/projects/{project['id']}"
        statuses = [(await owner.delete(path, if_match=etag)).status_code for etag in ('"2"', '"1"', '"1"')]
        assert statuses == [412, 204, 404]
