import asyncio
from typing import Any

import pytest
from httpx2 import AsyncClient

from glasswork.features.accounts.models import SystemRole
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio


class TestGetMe:
    async def test_needs_somebody_logged_in(self, client: AsyncClient) -> None:
        response = await client.get("/api/v1/users/me")
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "INVALID_TOKEN"
        assert response.headers["WWW-Authenticate"] == "Bearer"

    async def test_shows_me(self, callers: Callers) -> None:
        me, admin = await callers.user(), await callers.user(SystemRole.ADMIN)
        response = await me.get("/users/me")
        assert response.status_code == 200
        assert response.headers["ETag"] == '"1"'
        assert response.json()["email"] == me.email
        assert response.json() == (await admin.get(f"/users/{me.id}")).json()


class TestUpdateMe:
    async def test_needs_somebody_logged_in(self, client: AsyncClient) -> None:
        response = await client.patch("/api/v1/users/me", json={"name": "Ada"})
        assert response.status_code == 401

    async def test_refuses_an_ended_session(self, callers: Callers) -> None:
        me = await callers.user()
        await me.post("/auth/logout")
        response = await me.patch("/users/me", {"name": "Ada"})
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "SESSION_ENDED"

    @pytest.mark.parametrize(
        "fault",
        [{"name": name} for name in (None, "", " ", "a\0", "a" * 101, 1)]
        + [{"username": name} for name in (None, "", "ab", "a b", "ä" * 5, "ada\n")]
        + [{"role": "admin"}, {"is_active": True}, {"email": "ada@example.com"}, {"version": 7}],
        ids=ascii,
    )
    async def test_refuses_bad_input(self, callers: Callers, fault: dict[str, Any]) -> None:
        me = await callers.user()
        response = await me.patch("/users/me", {"name": "Ada"} | fault)
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", *fault]
        assert (await me.get("/users/me")).headers["ETag"] == '"1"'

    async def test_refuses_a_taken_username(self, callers: Callers) -> None:
        me, other = await callers.user(), await callers.user()
        response = await me.patch("/users/me", {"username": other.username.upper()})
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "USERNAME_TAKEN"

    async def test_refuses_a_stale_etag_and_names_what_would_be_lost(self, callers: Callers) -> None:
        me = await callers.user()
        await me.patch("/users/me", {"name": "First"})
        changes = {"name": "Second", "username": me.username}
        response = await me.patch("/users/me", changes, if_match='"1"')
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (412, "STALE_VERSION")
        assert error["details"] == {"current_etag": '"2"', "fields": ["name"]}
        assert (await me.get("/users/me")).json()["name"] == "First"

    @pytest.mark.parametrize("tag", ['W/"1"', '"01"', '"one"', '"01234567890"', 'W/"1", "2"', '""'])
    async def test_refuses_a_tag_that_never_matches(self, callers: Callers, tag: str) -> None:
        me = await callers.user()
        response = await me.patch("/users/me", {"name": "Ada"}, if_match=tag)
        assert response.status_code == 412

    @pytest.mark.parametrize(
        "tag", ["", "1", '"1', '1"', "'1'", '"1" "2"', '"1",', 'w/"1"', '*, "1"', '"\x7f"']
    )
    async def test_refuses_a_malformed_tag(self, callers: Callers, tag: str) -> None:
        me = await callers.user()
        response = await me.patch("/users/me", {"name": "Ada"}, if_match=tag)
        assert response.status_code == 422
        (error,) = response.json()["error"]["details"]["errors"]
        assert (error["loc"], error["code"]) == (["header", "If-Match"], "malformed_etag")

    @pytest.mark.parametrize("tag", ['"1"', "*", " * ", '"7", "1"', ' W/"1" ,"1" '])
    async def test_takes_a_tag_that_matches(self, callers: Callers, tag: str) -> None:
        me = await callers.user()
        response = await me.patch("/users/me", {"name": "Ada"}, if_match=tag)
        assert response.status_code == 200
        assert response.headers["ETag"] == '"2"'

    async def test_of_two_at_once_with_one_tag_one_goes_through(self, committing_callers: Callers) -> None:
        me = await committing_callers.user()
        changes = [{"name": f"Ada {n}"} for n in range(2)]
        responses = await asyncio.gather(*(me.patch("/users/me", each, if_match='"1"') for each in changes))
        assert sorted(response.status_code for response in responses) == [200, 412]

    async def test_changes_only_what_was_sent(self, callers: Callers) -> None:
        me = await callers.user()
        before = (await me.get("/users/me")).json()
        response = await me.patch("/users/me", {"name": "Ada"})
        after = response.json()
        assert after == before | {"name": "Ada", "version": 2, "updated_at": after["updated_at"]}
        assert response.headers["ETag"] == '"2"'
        assert (await me.get("/users/me")).json() == after

    async def test_can_change_the_case_of_the_username(self, callers: Callers) -> None:
        me = await callers.user()
        response = await me.patch("/users/me", {"username": me.username.upper()})
        assert response.json()["username"] == me.username.upper()

    async def test_what_changes_nothing_keeps_the_etag(self, callers: Callers) -> None:
        me = await callers.user()
        before = (await me.get("/users/me")).json()
        for changes in ({}, {"name": before["name"], "username": before["username"]}):
            response = await me.patch("/users/me", changes, if_match='"1"')
            assert response.status_code == 200
            assert response.headers["ETag"] == '"1"'
            assert response.json() == before
