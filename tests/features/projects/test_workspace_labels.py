from typing import Any
from uuid import UUID

import pytest

from glasswork.core.db import Database
from glasswork.features.projects.service import LabelService
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import (
    make_label,
    make_project,
    make_task,
    make_workspace,
    make_workspace_label,
)
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


@pytest.fixture
async def label(owner: Caller, workspace: dict[str, Any]) -> dict[str, Any]:
    return await make_workspace_label(owner, workspace, name="Bug")


def path_of(workspace: dict[str, Any]) -> str:
    return f"/workspaces/{workspace['id']}/labels"


class TestCreate:
    @by_role(viewer=403, member=403, admin=201, owner=201)
    async def test_is_for_admins(
        self, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(path_of(workspace), {"name": "bug"})).status_code == status

    async def test_refuses_a_taken_name(
        self, owner: Caller, workspace: dict[str, Any], label: dict[str, Any]
    ) -> None:
        response = await owner.post(path_of(workspace), {"name": "bUG"})
        assert (response.status_code, response.json()["error"]["code"]) == (409, "LABEL_NAME_TAKEN")
        other = await make_workspace(owner)
        assert (await make_workspace_label(owner, other, name="Bug"))["id"] != label["id"]

    async def test_a_project_may_have_one_of_the_same_name(
        self, owner: Caller, project: dict[str, Any], label: dict[str, Any]
    ) -> None:
        own = await make_label(owner, project, name="bug")
        assert (own["project_id"], label["project_id"]) == (project["id"], None)

    async def test_answers_the_label(self, owner: Caller, workspace: dict[str, Any]) -> None:
        new = {"name": "bug", "color": "#0e8a16", "description": "What is broken"}
        response = await owner.post(path_of(workspace), new)
        made = response.json()
        assert made == new | {
            "id": made["id"],
            "workspace_id": workspace["id"],
            "project_id": None,
            "version": 1,
            "created_at": made["created_at"],
            "updated_at": made["created_at"],
        }
        assert response.headers["Location"] == f"/api/v1/labels/{made['id']}"
        assert (await owner.get(f"/labels/{made['id']}")).json() == made


class TestRead:
    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_is_for_members(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        label: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.get(f"/labels/{label['id']}")).status_code == status
        assert (await caller.get(path_of(workspace))).status_code == status

    async def test_lists_those_of_no_project(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any]
    ) -> None:
        await make_label(owner, project)
        empty = (await owner.get(path_of(workspace), total=True)).json()
        assert empty == {"items": [], "next_cursor": None, "total": 0}
        label = await make_workspace_label(owner, workspace)
        assert (await owner.get(path_of(workspace))).json()["items"] == [label]

    async def test_a_project_lists_its_own_and_these(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], label: dict[str, Any]
    ) -> None:
        own = await make_label(owner, project, name="alpha")
        await make_label(owner, await make_project(owner, workspace))
        await make_workspace_label(owner, await make_workspace(owner))
        assert (await owner.get(f"/projects/{project['id']}/labels")).json()["items"] == [own, label]

    async def test_a_deleted_project_lists_none(
        self, owner: Caller, project: dict[str, Any], label: dict[str, Any]
    ) -> None:
        path = f"/projects/{project['id']}/labels"
        assert (await owner.get(path)).json()["items"] == [label]
        own = await make_label(owner, project)
        await owner.delete(f"/projects/{project['id']}")
        assert (await owner.get(path)).status_code == 404
        assert (await owner.get(f"/labels/{own['id']}")).status_code == 404
        assert (await owner.get(f"/labels/{label['id']}")).json() == label


class TestChange:
    @by_role(viewer=403, member=403, admin=200, owner=200)
    async def test_is_for_admins(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        label: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        path = f"/labels/{label['id']}"
        assert (await caller.patch(path, {"color": "#000000"})).status_code == status
        assert (await caller.delete(path)).status_code == (204 if status == 200 else status)
        assert (await owner.get(path)).status_code == (404 if status == 200 else 200)


class TestImport:
    async def test_finds_both_by_name_the_project_s_own_first(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        label: dict[str, Any],
        database: Database,
    ) -> None:
        idea = await make_workspace_label(owner, workspace, name="Idea")
        own = await make_label(owner, project, name="BUG")
        await make_label(owner, await make_project(owner, workspace), name="Of another")
        async with database.reading() as session:
            ids = await LabelService(session).ids_by_name(owner.actor, UUID(project["id"]))
        assert {name: str(label_id) for name, label_id in ids.items()} == {
            "bug": own["id"],
            "idea": idea["id"],
        }
        assert own["id"] != label["id"]


class TestTasks:
    async def test_refuse_those_of_another_workspace_or_project(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], task: dict[str, Any]
    ) -> None:
        elsewhere = await make_workspace_label(owner, await make_workspace(owner))
        of_another = await make_label(owner, await make_project(owner, workspace))
        for foreign in (elsewhere, of_another):
            body = {"title": "New", "label_ids": [foreign["id"]]}
            for response in (
                await owner.post(f"/projects/{project['id']}/tasks", body),
                await owner.patch(f"/tasks/{task['id']}", body),
            ):
                assert response.json()["error"]["details"]["errors"][0]["code"] == "unknown_label"
        assert (await owner.get(f"/tasks/{task['id']}")).json() == task

    async def test_of_every_project_may_have_them(
        self, owner: Caller, workspace: dict[str, Any], project: dict[str, Any], label: dict[str, Any]
    ) -> None:
        own = await make_label(owner, project)
        both = sorted([own["id"], label["id"]])
        assert (await make_task(owner, project, label_ids=both))["label_ids"] == both
        task = await make_task(owner, await make_project(owner, workspace))
        changed = await owner.patch(f"/tasks/{task['id']}", {"label_ids": [label["id"]]})
        assert changed.json()["label_ids"] == [label["id"]]
