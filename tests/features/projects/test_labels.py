from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


@pytest.fixture
async def label(owner: Caller, project: dict[str, Any]) -> dict[str, Any]:
    return await make_label(owner, project, name="Bug")


def path_of(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/labels"


class TestCreate:
    @by_role(viewer=403, member=201, admin=201, owner=201)
    async def test_is_for_those_who_work_there(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        project: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(path_of(project), {"name": "bug"})).status_code == status

    @pytest.mark.parametrize("name", ["Bug", "bUG", " bug "])
    async def test_refuses_a_taken_name(
        self, owner: Caller, project: dict[str, Any], label: dict[str, Any], name: str
    ) -> None:
        response = await owner.post(path_of(project), {"name": name})
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "LABEL_NAME_TAKEN"
        assert (await owner.get(path_of(project))).json()["items"] == [label]

    async def test_takes_the_name_of_another_project(
        self, owner: Caller, workspace: dict[str, Any], label: dict[str, Any]
    ) -> None:
        other = await make_project(owner, workspace)
        assert (await make_label(owner, other, name="Bug"))["id"] != label["id"]

    async def test_refuses_bad_input(self, owner: Caller, project: dict[str, Any]) -> None:
        faults: list[dict[str, Any]] = [
            *({"color": color} for color in ("red", "#FFF", "#ABCDEF", "#12345g", "123456", None)),
            *({"name": name} for name in ("", "a" * 101)),
            {"task": "1"},
        ]
        for fault in faults:
            response = await owner.post(path_of(project), {"name": "bug"} | fault)
            assert response.status_code == 422, fault
            assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", *fault]

    async def test_answers_the_label(self, owner: Caller, project: dict[str, Any]) -> None:
        new = {"name": "Ünïcode 🐛", "color": "#0e8a16", "description": "What is broken"}
        response = await owner.post(path_of(project), new)
        made = response.json()
        assert made == new | {
            "id": made["id"],
            "workspace_id": project["workspace_id"],
            "project_id": project["id"],
            "version": 1,
            "created_at": made["created_at"],
            "updated_at": made["created_at"],
        }
        assert response.headers["ETag"] == '"1"'
        assert response.headers["Location"] == f"/api/v1/labels/{made['id']}"
        assert (await owner.get(f"/labels/{made['id']}")).json() == made


class TestRead:
    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_is_for_members(
        self, callers: Callers, workspace: dict[str, Any], label: dict[str, Any], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.get(f"/labels/{label['id']}")).status_code == status
        assert (await caller.get(f"/projects/{label['project_id']}/labels")).status_code == status

    async def test_unknown_one_is_not_found(self, owner: Caller) -> None:
        response = await owner.get(f"/labels/{uuid7()}")
        assert response.json()["error"]["code"] == "LABEL_NOT_FOUND"

    async def test_project_without_labels_has_an_empty_list(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        page = (await owner.get(path_of(project), total=True)).json()
        assert page == {"items": [], "next_cursor": None, "total": 0}

    @pytest.mark.parametrize(
        ("sort", "names"),
        [("name", ["alpha", "Beta", "gamma"]), ("-name", ["gamma", "Beta", "alpha"])],
    )
    async def test_pages_by_name_without_case(
        self, owner: Caller, project: dict[str, Any], sort: str, names: list[str]
    ) -> None:
        for name in ("gamma", "alpha", "Beta"):
            await make_label(owner, project, name=name)
        first = (await owner.get(path_of(project), sort=sort, limit=2)).json()
        cursor = first["next_cursor"]
        second = (await owner.get(path_of(project), sort=sort, limit=2, cursor=cursor)).json()
        assert [item["name"] for item in first["items"] + second["items"]] == names


class TestUpdate:
    @by_role(viewer=403, member=200, admin=200, owner=200)
    async def test_is_for_those_who_work_there(
        self, callers: Callers, workspace: dict[str, Any], label: dict[str, Any], role: Role, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        response = await caller.patch(f"/labels/{label['id']}", {"color": "#000000"})
        assert response.status_code == status

    async def test_refuses_a_taken_name(
        self, owner: Caller, project: dict[str, Any], label: dict[str, Any]
    ) -> None:
        other = await make_label(owner, project)
        response = await owner.patch(f"/labels/{other['id']}", {"name": "BUG"})
        assert response.json()["error"]["code"] == "LABEL_NAME_TAKEN"
        assert (await owner.patch(f"/labels/{label['id']}", {"name": "BUG"})).status_code == 200

    async def test_refuses_a_stale_etag(self, owner: Caller, label: dict[str, Any]) -> None:
        response = await owner.patch(f"/labels/{label['id']}", {"name": "New"}, if_match='"2"')
        assert response.json()["error"]["details"] == {"current_etag": '"1"', "fields": ["name"]}

    @pytest.mark.parametrize("changes", [{"name": "New"}, {"color": "#000000"}, {"description": "New"}])
    async def test_changes_what_is_sent(
        self, owner: Caller, label: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        response = await owner.patch(f"/labels/{label['id']}", changes, if_match='"1"')
        assert response.json() == label | changes | {
            "version": 2,
            "updated_at": response.json()["updated_at"],
        }
        assert (await owner.patch(f"/labels/{label['id']}", changes)).headers["ETag"] == '"2"'


class TestDelete:
    @by_role(viewer=403, member=204, admin=204, owner=204)
    async def test_is_for_those_who_work_there(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        label: dict[str, Any],
        role: Role,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.delete(f"/labels/{label['id']}")).status_code == status
        left = (await owner.get(f"/labels/{label['id']}")).status_code
        assert left == (404 if status == 204 else 200)

    async def test_refuses_a_stale_etag(self, owner: Caller, label: dict[str, Any]) -> None:
        path = f"/labels/{label['id']}"
        statuses = [(await owner.delete(path, if_match=etag)).status_code for etag in ('"2"', '"1"')]
        assert statuses == [412, 204]

    async def test_takes_it_off_its_tasks_and_raises_their_version(
        self, owner: Caller, project: dict[str, Any], label: dict[str, Any]
    ) -> None:
        kept = await make_label(owner, project)
        labelled = await make_task(owner, project, label_ids=[label["id"], kept["id"]])
        other = await make_task(owner, project, label_ids=[kept["id"]])
        await owner.delete(f"/labels/{label['id']}")
        response = await owner.get(f"/tasks/{labelled['id']}")
        assert response.json()["label_ids"] == [kept["id"]]
        assert response.headers["ETag"] == '"2"'
        assert (await owner.get(f"/tasks/{other['id']}")).json() == other
