from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.projects.models import MAX_STATUSES
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_status, make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

NEW = {"key": "review", "name": "In review", "category": "in_progress"}


def path_of(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/statuses"


async def statuses_of(caller: Caller, project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return them by their keys, in order."""
    items = (await caller.get(path_of(project), limit=100)).json()["items"]
    assert [item["position"] for item in items] == list(range(len(items)))
    return {item["key"]: item for item in items}


async def told_of(caller: Caller, project: dict[str, Any]) -> dict[str, str]:
    """Return the type of the last event of each status, by its id."""
    changes = (await caller.get(f"/workspaces/{project['workspace_id']}/changes")).json()["items"]
    return {
        change["subject"]["id"]: change["type"] for change in changes if change["subject"]["type"] == "status"
    }


@pytest.fixture
async def status(owner: Caller, project: dict[str, Any]) -> dict[str, Any]:
    return (await statuses_of(owner, project))["in_progress"]


class TestCreate:
    @by_role(viewer=403, member=403, admin=201, owner=201)
    async def test_is_for_admins(
        self,
        callers: Callers,
        workspace: dict[str, Any],
        project: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.post(path_of(project), NEW)).status_code == status

    async def test_refuses_a_taken_key(self, owner: Caller, project: dict[str, Any]) -> None:
        response = await owner.post(path_of(project), NEW | {"key": "todo"})
        assert (response.status_code, response.json()["error"]["code"]) == (409, "STATUS_KEY_TAKEN")
        other = await make_project(owner, {"id": project["workspace_id"]})
        await make_status(owner, other, key="review")
        assert (await owner.post(path_of(project), NEW)).status_code == 201

    async def test_refuses_more_than_there_may_be(self, owner: Caller, project: dict[str, Any]) -> None:
        for _ in range(MAX_STATUSES - 3):
            await make_status(owner, project)
        response = await owner.post(path_of(project), NEW)
        assert (response.status_code, response.json()["error"]["code"]) == (409, "TOO_MANY_STATUSES")
        assert response.json()["error"]["details"] == {"most": MAX_STATUSES}
        assert len(await statuses_of(owner, project)) == MAX_STATUSES

    async def test_refuses_bad_input(self, owner: Caller, project: dict[str, Any]) -> None:
        faults: list[dict[str, Any]] = [
            *({"key": key} for key in ("", "Review", "1st", "a-b", "a" * 41, None)),
            *({"category": category} for category in ("doing", None)),
            *({"position": position} for position in (-1, 4, 50, "1", True)),
            *({"color": color} for color in ("red", "#FFF", None)),
            *({"name": name} for name in ("", " ", "a" * 101)),
            *({"next": keys} for keys in (["nowhere"], ["review"], "todo")),
            {"version": 1},
        ]
        for fault in faults:
            response = await owner.post(path_of(project), NEW | fault)
            assert response.status_code == 422, fault
            assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", *fault]
        assert list(await statuses_of(owner, project)) == ["todo", "in_progress", "done"]

    async def test_says_which_may_be_next(self, owner: Caller, project: dict[str, Any]) -> None:
        response = await owner.post(path_of(project), NEW | {"next": ["nowhere"]})
        error = response.json()["error"]["details"]["errors"][0]
        assert error["code"] == "unknown_status"
        assert error["message"].endswith(": todo, in_progress, done")

    async def test_refuses_the_key_of_another_project_as_next(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        other = await make_project(owner, {"id": project["workspace_id"]})
        await make_status(owner, other, key="elsewhere")
        assert (await owner.post(path_of(project), NEW | {"next": ["elsewhere"]})).status_code == 422
        await make_status(owner, project, key="elsewhere")
        assert (await owner.post(path_of(project), NEW | {"next": ["elsewhere"]})).status_code == 201

    async def test_answers_the_status(self, owner: Caller, project: dict[str, Any]) -> None:
        new = NEW | {"color": "#0e8a16", "next": ["todo", "done", "todo"], "position": 2}
        response = await owner.post(path_of(project), new)
        made = response.json()
        assert made == new | {
            "next": ["done", "todo"],
            "id": made["id"],
            "workspace_id": project["workspace_id"],
            "project_id": project["id"],
            "version": 1,
            "created_at": made["created_at"],
            "updated_at": made["created_at"],
        }
        assert response.headers["ETag"] == '"1"'
        assert response.headers["Location"] == f"/api/v1/statuses/{made['id']}"
        assert (await owner.get(f"/statuses/{made['id']}")).json() == made

    async def test_stands_behind_all(self, owner: Caller, project: dict[str, Any]) -> None:
        made = await make_status(owner, project, key="review")
        assert (made["position"], made["next"]) == (3, None)
        assert await told_of(owner, project) == {made["id"]: "status.created"}

    async def test_makes_others_move_on(self, owner: Caller, project: dict[str, Any]) -> None:
        made = await make_status(owner, project, key="review", position=1)
        statuses = await statuses_of(owner, project)
        assert list(statuses) == ["todo", "review", "in_progress", "done"]
        assert [each["version"] for each in statuses.values()] == [1, 1, 2, 2]
        assert await told_of(owner, project) == {
            made["id"]: "status.created",
            statuses["in_progress"]["id"]: "status.updated",
            statuses["done"]["id"]: "status.updated",
        }


class TestRead:
    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_is_for_members(
        self,
        owner: Caller,
        callers: Callers,
        workspace: dict[str, Any],
        project: dict[str, Any],
        role: Role | None,
        status: int,
    ) -> None:
        caller = await with_role(callers, workspace, role)
        one = next(iter((await statuses_of(owner, project)).values()))
        assert (await caller.get(f"/statuses/{one['id']}")).status_code == status
        assert (await caller.get(path_of(project))).status_code == status

    async def test_unknown_one_is_not_found(self, owner: Caller) -> None:
        response = await owner.get(f"/statuses/{uuid7()}")
        assert response.json()["error"]["code"] == "STATUS_NOT_FOUND"

    async def test_goes_with_its_project(
        self, owner: Caller, project: dict[str, Any], status: dict[str, Any]
    ) -> None:
        path = f"/statuses/{status['id']}"
        assert (await owner.get(path)).json() == status
        await owner.delete(f"/projects/{project['id']}")
        answers = [await owner.get(path), await owner.patch(path, {"name": "New"}), await owner.delete(path)]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert (await owner.post(path_of(project), NEW)).status_code == 404

    async def test_pages_in_order(self, owner: Caller, project: dict[str, Any]) -> None:
        first = (await owner.get(path_of(project), limit=2)).json()
        second = (await owner.get(path_of(project), limit=2, cursor=first["next_cursor"])).json()
        keys = [item["key"] for item in first["items"] + second["items"]]
        assert keys == ["todo", "in_progress", "done"]


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
        caller = await with_role(callers, workspace, role)
        one = next(iter((await statuses_of(owner, project)).values()))
        assert (await caller.patch(f"/statuses/{one['id']}", {"name": "New"})).status_code == status

    async def test_of_another_workspace_is_not_found(self, callers: Callers, status: dict[str, Any]) -> None:
        stranger = await callers.user()
        await make_project(stranger, await make_workspace(stranger))
        assert (await stranger.patch(f"/statuses/{status['id']}", {"name": "New"})).status_code == 404

    async def test_refuses_a_stale_etag(self, owner: Caller, status: dict[str, Any]) -> None:
        changes = {"name": "New", "position": 1, "next": []}
        response = await owner.patch(f"/statuses/{status['id']}", changes, if_match='"2"')
        assert response.status_code == 412
        details = response.json()["error"]["details"]
        assert (details["current_etag"], sorted(details["fields"])) == ('"1"', ["name", "next"])
        assert (await owner.patch(f"/statuses/{status['id']}", changes, if_match='"1"')).status_code == 200

    async def test_refuses_bad_input(self, owner: Caller, status: dict[str, Any]) -> None:
        faults: list[dict[str, Any]] = [
            {"key": "another"},
            {"category": "done"},
            *({"position": position} for position in (-1, 3, None)),
            *({"next": keys} for keys in (["nowhere"], ["in_progress"], ["done", "Done"])),
            {"name": None},
        ]
        for fault in faults:
            response = await owner.patch(f"/statuses/{status['id']}", fault)
            assert response.status_code == 422, fault
            assert response.json()["error"]["details"]["errors"][0]["loc"][:2] == ["body", *fault]
        assert (await owner.get(f"/statuses/{status['id']}")).json() == status

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": "Doing"},
            {"color": "#000000"},
            {"next": ["done"]},
            {"next": []},
            {"name": "Doing", "color": "#000000", "next": ["done", "todo"]},
        ],
    )
    async def test_changes_what_is_sent(
        self, owner: Caller, project: dict[str, Any], status: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        response = await owner.patch(f"/statuses/{status['id']}", changes, if_match='"1"')
        after = response.json()
        assert response.headers["ETag"] == '"2"'
        assert after == status | changes | {"version": 2, "updated_at": after["updated_at"]}
        assert (await owner.patch(f"/statuses/{status['id']}", changes)).json() == after
        assert await told_of(owner, project) == {status["id"]: "status.updated"}

    async def test_null_lets_any_follow_again(self, owner: Caller, status: dict[str, Any]) -> None:
        path = f"/statuses/{status['id']}"
        await owner.patch(path, {"next": ["done"]})
        assert (await owner.patch(path, {"next": None})).json()["next"] is None
        assert (await owner.patch(path, {"next": ["todo"]})).json()["next"] == ["todo"]

    @pytest.mark.parametrize(
        ("key", "position", "order", "versions"),
        [
            ("todo", 2, ["in_progress", "done", "todo"], [2, 2, 2]),
            ("done", 0, ["done", "todo", "in_progress"], [2, 2, 2]),
            ("in_progress", 0, ["in_progress", "todo", "done"], [2, 2, 1]),
            ("done", 2, ["todo", "in_progress", "done"], [1, 1, 1]),
        ],
    )
    async def test_moves_and_others_make_room(
        self,
        owner: Caller,
        project: dict[str, Any],
        key: str,
        position: int,
        order: list[str],
        versions: list[int],
    ) -> None:
        moved = (await statuses_of(owner, project))[key]
        response = await owner.patch(f"/statuses/{moved['id']}", {"position": position})
        assert response.json()["position"] == position
        statuses = await statuses_of(owner, project)
        assert list(statuses) == order
        assert [each["version"] for each in statuses.values()] == versions
        changed = {each["id"] for each in statuses.values() if each["version"] == 2}
        assert (await told_of(owner, project)).keys() == changed

    async def test_a_move_changes_nothing_else_of_the_others(
        self, owner: Caller, project: dict[str, Any]
    ) -> None:
        before = await statuses_of(owner, project)
        await owner.patch(f"/statuses/{before['todo']['id']}", {"next": ["in_progress", "done"]})
        before = await statuses_of(owner, project)
        await owner.patch(f"/statuses/{before['done']['id']}", {"position": 1})
        after = await statuses_of(owner, project)
        assert after["todo"] == before["todo"]
        volatile = {"version": 2, "updated_at": after["in_progress"]["updated_at"]}
        assert after["in_progress"] == before["in_progress"] | volatile | {"position": 2}
