from typing import Any

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio


def path_of(workspace: dict[str, Any], member: Caller | None = None) -> str:
    members = f"/workspaces/{workspace['id']}/members"
    return f"{members}/{member.id}" if member else members


class TestList:
    async def test_outsider_sees_nobody(self, callers: Callers, workspace: dict[str, Any]) -> None:
        response = await (await callers.user()).get(path_of(workspace))
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "WORKSPACE_NOT_FOUND"

    @pytest.mark.parametrize("sort", ["username", "-username", "created_at"])
    async def test_pages_through_each_sort(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], sort: str
    ) -> None:
        names = [owner.username, *[(await callers.member(workspace["id"])).username for _ in range(2)]]
        if sort != "created_at":
            names.sort(reverse=sort == "-username")
        first = (await owner.get(path_of(workspace), sort=sort, limit=2, total=True)).json()
        second = (await owner.get(path_of(workspace), sort=sort, limit=2, cursor=first["next_cursor"])).json()
        assert [item["username"] for item in first["items"] + second["items"]] == names
        assert (first["total"], second["next_cursor"]) == (3, None)

    async def test_leaves_out_the_removed(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        gone = await callers.member(workspace["id"])
        await owner.delete(path_of(workspace, gone))
        items = (await owner.get(path_of(workspace))).json()["items"]
        assert [item["user_id"] for item in items] == [str(owner.id)]


class TestGet:
    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_is_for_members(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.get(path_of(workspace, owner))).status_code == status

    async def test_knows_no_strangers(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        response = await owner.get(path_of(workspace, await callers.user()))
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "MEMBER_NOT_FOUND"

    async def test_shows_who_it_is(self, owner: Caller, callers: Callers, workspace: dict[str, Any]) -> None:
        member = await callers.member(workspace["id"], Role.VIEWER)
        response = await owner.get(path_of(workspace, member))
        shown = response.json()
        assert shown == {
            "workspace_id": workspace["id"],
            "user_id": str(member.id),
            "username": member.username,
            "name": shown["name"],
            "email": member.email,
            "role": "viewer",
            "version": 2,
            "created_at": shown["created_at"],
            "updated_at": shown["updated_at"],
        }
        assert response.headers["ETag"] == '"2"'

    async def test_has_another_etag_when_the_person_changes(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        member = await callers.member(workspace["id"])
        before = (await owner.get(path_of(workspace, member))).headers["ETag"]
        await member.patch("/users/me", {"name": "Newly Named"})
        response = await owner.get(path_of(workspace, member))
        assert response.json()["name"] == "Newly Named"
        assert response.headers["ETag"] != before
        stale = await owner.patch(path_of(workspace, member), {"role": "viewer"}, if_match=before)
        assert stale.status_code == 412


class TestUpdate:
    @by_role(viewer=403, member=403, admin=200, owner=200)
    async def test_is_for_admins(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller, member = await with_role(callers, workspace, role), await callers.member(workspace["id"])
        response = await caller.patch(path_of(workspace, member), {"role": "viewer"})
        assert response.status_code == status
        now = (await owner.get(path_of(workspace, member))).json()["role"]
        assert now == ("viewer" if status == 200 else "member")

    @pytest.mark.parametrize(
        ("role", "current", "wanted"),
        [
            (Role.ADMIN, Role.MEMBER, Role.OWNER),
            (Role.ADMIN, Role.ADMIN, Role.OWNER),
            (Role.ADMIN, Role.OWNER, Role.MEMBER),
            (Role.ADMIN, Role.OWNER, Role.OWNER),
        ],
    )
    async def test_admin_neither_makes_nor_touches_an_owner(
        self, callers: Callers, workspace: dict[str, Any], role: Role, current: Role, wanted: Role
    ) -> None:
        caller = await callers.member(workspace["id"], role)
        member = await callers.member(workspace["id"], current)
        response = await caller.patch(path_of(workspace, member), {"role": wanted})
        assert response.status_code == 403
        assert (await caller.get(path_of(workspace, member))).json()["role"] == current

    @pytest.mark.parametrize("wanted", Role)
    async def test_owner_gives_every_role(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], wanted: Role
    ) -> None:
        member = await callers.member(workspace["id"], Role.OWNER)
        response = await owner.patch(path_of(workspace, member), {"role": wanted}, if_match='"2"')
        assert response.json()["role"] == wanted
        assert response.headers["ETag"] == ('"2"' if wanted is Role.OWNER else '"3"')
        assert (await owner.get(path_of(workspace, member))).json() == response.json()

    async def test_without_a_role_changes_nothing(self, owner: Caller, workspace: dict[str, Any]) -> None:
        response = await owner.patch(path_of(workspace, owner), {})
        assert (response.status_code, response.headers["ETag"]) == (200, '"2"')

    @pytest.mark.parametrize("body", [{"role": None}, {"role": "boss"}, {"name": "New"}])
    async def test_refuses_bad_input(
        self, owner: Caller, workspace: dict[str, Any], body: dict[str, Any]
    ) -> None:
        assert (await owner.patch(path_of(workspace, owner), body)).status_code == 422

    async def test_knows_no_strangers(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        response = await owner.patch(path_of(workspace, await callers.user()), {"role": "viewer"})
        assert response.json()["error"]["code"] == "MEMBER_NOT_FOUND"

    async def test_last_owner_stays(self, owner: Caller, callers: Callers, workspace: dict[str, Any]) -> None:
        response = await owner.patch(path_of(workspace, owner), {"role": "admin"})
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "LAST_OWNER"
        assert (await owner.get(path_of(workspace, owner))).json()["role"] == "owner"
        await callers.member(workspace["id"], Role.OWNER)
        assert (await owner.patch(path_of(workspace, owner), {"role": "admin"})).status_code == 200

    async def test_an_owner_elsewhere_does_not_count(self, owner: Caller, workspace: dict[str, Any]) -> None:
        await make_workspace(owner)
        assert (await owner.patch(path_of(workspace, owner), {"role": "admin"})).status_code == 409


class TestRemove:
    @by_role(viewer=403, member=403, admin=204, owner=204)
    async def test_is_for_admins(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller, member = await with_role(callers, workspace, role), await callers.member(workspace["id"])
        assert (await caller.delete(path_of(workspace, member))).status_code == status
        left = 404 if status == 204 else 200
        assert (await owner.get(path_of(workspace, member))).status_code == left

    async def test_admin_cannot_remove_an_owner(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        admin = await callers.member(workspace["id"], Role.ADMIN)
        assert (await admin.delete(path_of(workspace, owner))).status_code == 403
        assert (await owner.get(f"/workspaces/{workspace['id']}")).status_code == 200

    @pytest.mark.parametrize("role", Role)
    async def test_everybody_may_leave(self, callers: Callers, workspace: dict[str, Any], role: Role) -> None:
        member = await callers.member(workspace["id"], role)
        assert (await member.delete(path_of(workspace, member))).status_code == 204
        assert (await member.get(f"/workspaces/{workspace['id']}")).status_code == 404

    async def test_last_owner_cannot_leave(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        await callers.member(workspace["id"], Role.ADMIN)
        response = await owner.delete(path_of(workspace, owner))
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "LAST_OWNER"
        assert (await owner.get(f"/workspaces/{workspace['id']}")).status_code == 200

    async def test_refuses_a_stale_etag(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        member = await callers.member(workspace["id"])
        assert (await owner.delete(path_of(workspace, member), if_match='"1"')).status_code == 412
        assert (await owner.delete(path_of(workspace, member), if_match='"2"')).status_code == 204

    async def test_knows_no_strangers(self, owner: Caller, workspace: dict[str, Any]) -> None:
        response = await owner.delete(f"{path_of(workspace)}/{uuid7()}")
        assert response.json()["error"]["code"] == "MEMBER_NOT_FOUND"
