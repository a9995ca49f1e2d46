from operator import attrgetter
from typing import Any

import pytest
from httpx2 import AsyncClient
from uuid_utils.compat import uuid7

from glasswork.features.accounts import policy
from glasswork.features.accounts.models import SystemRole
from tests.factories.callers import Caller, Callers

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(callers: Callers) -> Caller:
    return await callers.user(SystemRole.ADMIN)


@pytest.mark.parametrize(("role", "allowed"), [(SystemRole.USER, False), (SystemRole.ADMIN, True)])
async def test_only_admins_administer(role: SystemRole, *, allowed: bool) -> None:
    assert policy.can_administer(role) is allowed


class TestRights:
    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/{id}"), ("PATCH", "/{id}")])
    async def test_only_an_admin_who_is_logged_in_may(
        self, client: AsyncClient, callers: Callers, admin: Caller, method: str, path: str
    ) -> None:
        user = await callers.user()
        path = "/users" + path.format(id=user.id)
        options: dict[str, Any] = {"json": {"role": "admin"}} if method == "PATCH" else {}
        assert (await client.request(method, f"/api/v1{path}", **options)).status_code == 401
        refused = await user.request(method, path, **options)
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "PERMISSION_DENIED"
        assert (await admin.request(method, path, **options)).status_code == 200
        await admin.post("/auth/logout")
        ended = await admin.request(method, path, **options)
        assert ended.json()["error"]["code"] == "SESSION_ENDED"

    async def test_a_user_learns_nothing_about_who_exists(self, callers: Callers) -> None:
        user, other = await callers.user(), await callers.user()
        assert (await user.get(f"/users/{other.id}")).status_code == 403
        assert (await user.get(f"/users/{uuid7()}")).status_code == 403


class TestListUsers:
    @pytest.mark.parametrize(
        "query",
        [{"sort": "email"}, {"limit": 0}, {"limit": 101}, {"cursor": "nonsense"}, {"role": "admin"}],
        ids=str,
    )
    async def test_refuses_bad_queries(self, admin: Caller, query: dict[str, Any]) -> None:
        response = await admin.get("/users", **query)
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"][0]["loc"] == ["query", *query]

    @pytest.mark.alone
    @pytest.mark.parametrize("sort", ["created_at", "-created_at", "username", "-username"])
    async def test_pages_hold_everybody_once(self, admin: Caller, callers: Callers, sort: str) -> None:
        users = [admin, *[await callers.user() for _ in range(4)]]
        found, query = [], {"sort": sort, "limit": 2}
        while True:
            page = (await admin.get("/users", **query)).json()
            found += page["items"]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        key = attrgetter("username" if "username" in sort else "id")
        expected = sorted(users, key=key, reverse=sort.startswith("-"))
        assert [user["id"] for user in found] == [str(user.id) for user in expected]

    @pytest.mark.alone
    async def test_counts_only_when_asked(self, admin: Caller, callers: Callers) -> None:
        await callers.user()
        assert (await admin.get("/users")).json()["total"] is None
        page = (await admin.get("/users", total="true", limit=1)).json()
        assert (page["total"], len(page["items"])) == (2, 1)


class TestGetUser:
    async def test_an_unknown_user_is_not_found(self, admin: Caller) -> None:
        response = await admin.get(f"/users/{uuid7()}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "USER_NOT_FOUND"

    async def test_refuses_what_is_no_id(self, admin: Caller) -> None:
        assert (await admin.get("/users/ada")).status_code == 422


class TestUpdateUser:
    async def test_an_unknown_user_is_not_found(self, admin: Caller) -> None:
        response = await admin.patch(f"/users/{uuid7()}", {"role": "admin"})
        assert response.status_code == 404

    @pytest.mark.parametrize(
        "fault",
        [{"role": "root"}, {"role": None}, {"is_active": None}, {"is_active": "maybe"}, {"name": "Ada"}],
        ids=str,
    )
    async def test_refuses_bad_input(self, admin: Caller, callers: Callers, fault: dict[str, Any]) -> None:
        user = await callers.user()
        response = await admin.patch(f"/users/{user.id}", fault)
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", *fault]

    async def test_refuses_a_stale_etag(self, admin: Caller, callers: Callers) -> None:
        user = await callers.user()
        await user.patch("/users/me", {"name": "Ada"})
        response = await admin.patch(f"/users/{user.id}", {"role": "admin"}, if_match='"1"')
        assert response.status_code == 412
        assert response.json()["error"]["details"] == {"current_etag": '"2"', "fields": ["role"]}

    async def test_a_new_role_counts_from_the_next_request_on(self, admin: Caller, callers: Callers) -> None:
        user = await callers.user()
        response = await admin.patch(f"/users/{user.id}", {"role": "admin"}, if_match='"1"')
        assert (response.status_code, response.json()["role"]) == (200, "admin")
        assert response.headers["ETag"] == '"2"'
        assert (await user.get("/users")).status_code == 200

    async def test_who_is_shut_off_is_refused_with_the_next_request(
        self, admin: Caller, callers: Callers
    ) -> None:
        user = await callers.user()
        assert (await user.get("/users/me")).status_code == 200
        response = await admin.patch(f"/users/{user.id}", {"is_active": False})
        assert response.json()["is_active"] is False
        refused = await user.get("/users/me")
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "SESSION_ENDED"
