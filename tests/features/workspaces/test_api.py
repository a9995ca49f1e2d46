from typing import Any

import pytest
from httpx2 import AsyncClient
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_workspace

from .roles import by_role, with_role

pytestmark = pytest.mark.anyio

NEW = {"name": "Operations", "slug": "operations"}


class TestCreate:
    async def test_needs_somebody_logged_in(self, client: AsyncClient) -> None:
        response = await client.post("/api/v1/workspaces", json=NEW)
        assert response.status_code == 401

    async def test_refuses_a_taken_slug(self, owner: Caller, callers: Callers) -> None:
        await make_workspace(owner, **NEW)
        response = await (await callers.user()).post("/workspaces", NEW)
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "SLUG_TAKEN"

    async def test_refuses_bad_input(self, owner: Caller) -> None:
        faults: list[dict[str, Any]] = [
            *({"slug": slug} for slug in ("-a", "a-", "A", "ä", "a\n", "a" * 51, None)),
            *({"name": name} for name in ("  ", "a\0b", "a" * 101, 1)),
            {"owner": "me"},
        ]
        for fault in faults:
            response = await owner.post("/workspaces", NEW | fault)
            assert response.status_code == 422, fault
            assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", *fault]
        assert (await owner.get("/workspaces")).json()["items"] == []

    @pytest.mark.parametrize("slug", ["7", "a--b", "a" * 50])
    async def test_takes_good_slugs(self, owner: Caller, slug: str) -> None:
        assert (await make_workspace(owner, slug=slug))["slug"] == slug

    async def test_answers_the_workspace(self, owner: Caller) -> None:
        response = await owner.post("/workspaces", NEW | {"name": "  Operations "})
        made = response.json()
        assert response.status_code == 201
        assert made == NEW | {
            "id": made["id"],
            "created_by": str(owner.id),
            "version": 1,
            "created_at": made["created_at"],
            "updated_at": made["created_at"],
        }
        assert response.headers["ETag"] == '"1"'
        assert response.headers["Location"] == f"/api/v1/workspaces/{made['id']}"
        assert (await owner.get(f"/workspaces/{made['id']}")).json() == made

    async def test_makes_its_maker_the_owner(self, owner: Caller, workspace: dict[str, Any]) -> None:
        response = await owner.get(f"/workspaces/{workspace['id']}/members/{owner.id}")
        assert response.json()["role"] == "owner"

    async def test_takes_the_slug_of_a_deleted_workspace(self, owner: Caller, callers: Callers) -> None:
        deleted = await make_workspace(owner, **NEW)
        await owner.delete(f"/workspaces/{deleted['id']}")
        again = await make_workspace(await callers.user(), **NEW)
        assert again["id"] != deleted["id"]


class TestList:
    async def test_shows_only_mine(self, owner: Caller, callers: Callers) -> None:
        other = await callers.user()
        mine, theirs, shared = [await make_workspace(caller) for caller in (owner, other, other)]
        await other.post(f"/workspaces/{theirs['id']}/invitations", {"email": owner.email, "role": "admin"})
        viewer = await callers.user()
        await callers.join(viewer, shared["id"], Role.VIEWER)
        assert (await owner.get("/workspaces")).json()["items"] == [mine]
        assert (await viewer.get("/workspaces")).json()["items"] == [shared]

    async def test_leaves_out_what_i_left_and_what_is_deleted(self, owner: Caller, callers: Callers) -> None:
        left, deleted = await make_workspace(owner), await make_workspace(owner)
        member = await callers.user()
        await callers.join(member, left["id"], Role.MEMBER)
        await member.delete(f"/workspaces/{left['id']}/members/{member.id}")
        await owner.delete(f"/workspaces/{deleted['id']}")
        assert (await member.get("/workspaces")).json()["items"] == []
        assert (await owner.get("/workspaces")).json()["items"] == [left]

    @pytest.mark.parametrize(
        ("sort", "slugs"),
        [
            ("name", ["b", "c", "a"]),
            ("-name", ["a", "c", "b"]),
            ("slug", ["a", "b", "c"]),
            ("-slug", ["c", "b", "a"]),
            ("created_at", ["a", "b", "c"]),
        ],
    )
    async def test_pages_through_each_sort(self, owner: Caller, sort: str, slugs: list[str]) -> None:
        for slug, name in (("a", "alpha"), ("b", "Beta"), ("c", "Gamma")):
            await make_workspace(owner, slug=slug, name=name)
        first = (await owner.get("/workspaces", sort=sort, limit=2, total=True)).json()
        second = (await owner.get("/workspaces", sort=sort, limit=2, cursor=first["next_cursor"])).json()
        assert [item["slug"] for item in first["items"] + second["items"]] == slugs
        assert (first["total"], second["total"], second["next_cursor"]) == (3, None, None)


class TestGet:
    async def test_outsider_cannot_tell_it_from_one_that_is_not_there(
        self, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        outsider = await callers.user()
        errors = []
        for workspace_id in (workspace["id"], str(uuid7())):
            response = await outsider.get(f"/workspaces/{workspace_id}")
            assert response.status_code == 404
            error = response.json()["error"]
            errors.append((error["code"], error["message"].replace(workspace_id, "-"), error["details"]))
        assert errors[0] == errors[1]
        assert errors[0][0] == "WORKSPACE_NOT_FOUND"

    async def test_removed_member_sees_nothing(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        member = await callers.member(workspace["id"])
        assert (await member.get(f"/workspaces/{workspace['id']}")).status_code == 200
        await owner.delete(f"/workspaces/{workspace['id']}/members/{member.id}")
        assert (await member.get(f"/workspaces/{workspace['id']}")).status_code == 404

    @by_role(viewer=200, member=200, admin=200, owner=200)
    async def test_is_for_members(
        self, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.get(f"/workspaces/{workspace['id']}")).status_code == status

    async def test_shows_it_with_its_etag(self, owner: Caller, workspace: dict[str, Any]) -> None:
        response = await owner.get(f"/workspaces/{workspace['id']}")
        assert response.json() == workspace
        assert response.headers["ETag"] == '"1"'


class TestUpdate:
    @by_role(viewer=403, member=403, admin=200, owner=200)
    async def test_is_for_admins(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        path = f"/workspaces/{workspace['id']}"
        caller = await with_role(callers, workspace, role)
        assert (await caller.patch(path, {"name": "New"})).status_code == status
        name = (await owner.get(path)).json()["name"]
        assert name == ("New" if status == 200 else workspace["name"])

    async def test_refuses_a_taken_slug(self, owner: Caller, workspace: dict[str, Any]) -> None:
        taken = await make_workspace(owner)
        response = await owner.patch(f"/workspaces/{workspace['id']}", {"slug": taken["slug"]})
        assert response.json()["error"]["code"] == "SLUG_TAKEN"
        assert (await owner.get(f"/workspaces/{workspace['id']}")).json() == workspace

    @pytest.mark.parametrize("body", [{"name": None}, {"slug": None}, {"slug": "Not"}, {"version": 2}, []])
    async def test_refuses_bad_input(
        self, owner: Caller, workspace: dict[str, Any], body: dict[str, Any]
    ) -> None:
        assert (await owner.patch(f"/workspaces/{workspace['id']}", body)).status_code == 422

    async def test_refuses_a_stale_etag(self, owner: Caller, workspace: dict[str, Any]) -> None:
        path = f"/workspaces/{workspace['id']}"
        await owner.patch(path, {"name": "First"}, if_match='"1"')
        response = await owner.patch(path, {"name": "Second", "slug": workspace["slug"]}, if_match='"1"')
        assert response.status_code == 412
        assert response.json()["error"]["code"] == "STALE_VERSION"
        assert response.json()["error"]["details"] == {"current_etag": '"2"', "fields": ["name"]}
        assert (await owner.get(path)).json()["name"] == "First"

    async def test_refuses_a_malformed_etag(self, owner: Caller, workspace: dict[str, Any]) -> None:
        response = await owner.patch(f"/workspaces/{workspace['id']}", {"name": "New"}, if_match="1")
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"][0]["loc"] == ["header", "If-Match"]

    @pytest.mark.parametrize("changes", [{"name": "New"}, {"slug": "new"}, {"name": "New", "slug": "new"}])
    async def test_changes_what_is_sent(
        self, owner: Caller, workspace: dict[str, Any], changes: dict[str, Any]
    ) -> None:
        path = f"/workspaces/{workspace['id']}"
        response = await owner.patch(path, changes, if_match='"1"')
        assert response.json() == workspace | changes | {
            "version": 2,
            "updated_at": response.json()["updated_at"],
        }
        assert response.headers["ETag"] == '"2"'
        assert (await owner.get(path)).json() == response.json()

    @pytest.mark.parametrize("fields", [(), ("name",), ("name", "slug")])
    async def test_without_a_change_keeps_the_version(
        self, owner: Caller, workspace: dict[str, Any], fields: tuple[str, ...]
    ) -> None:
        same = {name: workspace[name] for name in fields}
        response = await owner.patch(f"/workspaces/{workspace['id']}", same)
        assert response.json() == workspace
        assert response.headers["ETag"] == '"1"'


class TestDelete:
    @by_role(viewer=403, member=403, admin=403, owner=204)
    async def test_is_for_owners(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        caller = await with_role(callers, workspace, role)
        assert (await caller.delete(f"/workspaces/{workspace['id']}")).status_code == status
        left = 404 if status == 204 else 200
        assert (await owner.get(f"/workspaces/{workspace['id']}")).status_code == left

    async def test_refuses_a_stale_etag(self, owner: Caller, workspace: dict[str, Any]) -> None:
        path = f"/workspaces/{workspace['id']}"
        assert (await owner.delete(path, if_match='"7"')).status_code == 412
        assert (await owner.delete(path, if_match='"1"')).status_code == 204

    async def test_is_done_once(self, owner: Caller, workspace: dict[str, Any]) -> None:
        path = f"/workspaces/{workspace['id']}"
        assert [(await owner.delete(path)).status_code for _ in range(2)] == [204, 404]
