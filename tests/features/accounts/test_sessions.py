import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select, update

from glasswork.core.db import Database
from glasswork.core.tokens import Keys, issue_refresh_token
from glasswork.features.accounts.models import SystemRole, User, UserSession
from tests.conftest import SECRET
from tests.factories.callers import PASSWORD, Callers

from .sign_in import get_me, log_in, log_out, refresh

pytestmark = pytest.mark.anyio

WEEK, GRACE = timedelta(days=7), timedelta(seconds=10)
SECOND = timedelta(seconds=1)


async def signed_in(callers: Callers) -> dict[str, Any]:
    user = await callers.user()
    tokens: dict[str, Any] = (await log_in(callers.client, user.email)).json()
    return tokens


async def let_pass(database: Database, time: timedelta) -> None:
    """Make all sessions older."""
    async with database.transaction() as session:
        await session.execute(update(UserSession).values(rotated_at=func.now() - time))


def session_of(tokens: dict[str, Any]) -> UUID:
    return UUID(hex=tokens["refresh_token"].removeprefix("gwr_").partition(".")[0])


class TestRefresh:
    @pytest.mark.parametrize(
        "token",
        [
            "nonsense",
            "gwr_",
            f"gwr_{'0' * 32}.0.{'0' * 64}",
            f"gwr_{'0' * 32}.{'9' * 10}.{'0' * 64}",
            f"gwr_{'0' * 32}.٣.{'0' * 64}",
            issue_refresh_token(Keys.derive(SECRET), UUID(int=7), 0),
            issue_refresh_token(Keys.derive("another secret"), UUID(int=7), 0),
            "\0",
            "a" * 256,
        ],
    )
    async def test_refuses_a_token_of_no_session(self, client: AsyncClient, token: str) -> None:
        response = await refresh(client, token)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "INVALID_REFRESH_TOKEN"
        assert response.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("body", [{}, {"refresh_token": ""}, {"refresh_token": "a" * 257}])
    async def test_refuses_bad_input(self, client: AsyncClient, body: dict[str, str]) -> None:
        response = await client.post("/api/v1/auth/refresh", json=body)
        assert response.status_code == 422
        assert "a" * 257 not in response.text

    async def test_refuses_an_access_token(self, callers: Callers) -> None:
        tokens = await signed_in(callers)
        body = {"refresh_token": tokens["access_token"][:256]}
        response = await callers.client.post("/api/v1/auth/refresh", json=body)
        assert response.status_code == 401

    async def test_a_forged_token_is_refused_and_does_no_harm(self, callers: Callers) -> None:
        tokens = await signed_in(callers)
        body, _, mac = tokens["refresh_token"].rpartition(".")
        forged = f"{body}.{mac[:-1]}{'0' if mac[-1] != '0' else '1'}"
        assert (await refresh(callers.client, forged)).status_code == 401
        stranger = issue_refresh_token(Keys.derive("another secret"), session_of(tokens), 0)
        assert (await refresh(callers.client, stranger)).status_code == 401
        assert (await refresh(callers.client, tokens["refresh_token"])).status_code == 200

    async def test_an_unused_session_expires(self, callers: Callers) -> None:
        tokens = await signed_in(callers)
        await let_pass(callers.database, WEEK + SECOND)
        assert (await refresh(callers.client, tokens["refresh_token"])).status_code == 401
        response = await get_me(callers.client, tokens)
        assert response.json()["error"]["code"] == "SESSION_ENDED"

    async def test_a_session_lasts_its_whole_time_and_longer_when_used(self, callers: Callers) -> None:
        tokens = await signed_in(callers)
        for _ in range(2):
            await let_pass(callers.database, WEEK - SECOND)
            tokens = (await refresh(callers.client, tokens["refresh_token"])).json()
        assert (await get_me(callers.client, tokens)).status_code == 200

    async def test_refuses_a_user_who_was_shut_off(self, callers: Callers) -> None:
        user, admin = await callers.user(), await callers.user(SystemRole.ADMIN)
        tokens = (await log_in(callers.client, user.email)).json()
        await admin.patch(f"/users/{user.id}", {"is_active": False})
        assert (await refresh(callers.client, tokens["refresh_token"])).status_code == 401

    async def test_refuses_one_who_was_shut_off_while_logging_in(self, callers: Callers) -> None:
        """The session came too late to be ended with the others."""
        bystander, user = await callers.user(), await callers.user()
        tokens = (await log_in(callers.client, user.email)).json()
        async with callers.database.system_transaction() as session:
            await session.execute(update(User).where(User.id == user.id).values(is_active=False))
        assert (await get_me(callers.client, tokens)).json()["error"]["code"] == "SESSION_ENDED"
        assert (await refresh(callers.client, tokens["refresh_token"])).status_code == 401
        assert (await bystander.get("/users/me")).status_code == 200

    async def test_a_used_token_ends_the_session_for_good(self, committing_callers: Callers) -> None:
        callers = committing_callers
        first = await signed_in(callers)
        second = (await refresh(callers.client, first["refresh_token"])).json()
        await let_pass(callers.database, GRACE + SECOND / 2)
        reused = await refresh(callers.client, first["refresh_token"])
        assert reused.status_code == 401
        assert reused.json()["error"]["code"] == "INVALID_REFRESH_TOKEN"
        assert (await refresh(callers.client, second["refresh_token"])).status_code == 401
        assert (await get_me(callers.client, second)).json()["error"]["code"] == "SESSION_ENDED"

    async def test_a_used_token_ends_no_other_session(self, callers: Callers) -> None:
        user = await callers.user()
        phone, laptop = [(await log_in(callers.client, user.email)).json() for _ in range(2)]
        await refresh(callers.client, phone["refresh_token"])
        await let_pass(callers.database, GRACE + SECOND / 2)
        await refresh(callers.client, phone["refresh_token"])
        assert (await get_me(callers.client, phone)).status_code == 401
        assert (await get_me(callers.client, laptop)).status_code == 200

    async def test_the_last_but_one_has_no_grace(self, callers: Callers) -> None:
        first = await signed_in(callers)
        second = (await refresh(callers.client, first["refresh_token"])).json()
        third = (await refresh(callers.client, second["refresh_token"])).json()
        assert (await refresh(callers.client, first["refresh_token"])).status_code == 401
        assert (await refresh(callers.client, third["refresh_token"])).status_code == 401

    async def test_gives_new_tokens(self, callers: Callers) -> None:
        old = await signed_in(callers)
        response = await refresh(callers.client, old["refresh_token"])
        new = response.json()
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert new["refresh_token"] != old["refresh_token"]
        assert new["access_token"] != old["access_token"]
        assert (await get_me(callers.client, new)).status_code == 200

    async def test_within_the_grace_gives_the_same_successor(self, callers: Callers) -> None:
        tokens = await signed_in(callers)
        first = await refresh(callers.client, tokens["refresh_token"])
        await let_pass(callers.database, GRACE - SECOND / 2)
        again = await refresh(callers.client, tokens["refresh_token"])
        assert again.json()["refresh_token"] == first.json()["refresh_token"]
        assert (await refresh(callers.client, again.json()["refresh_token"])).status_code == 200

    async def test_within_the_grace_of_what_has_ended_gives_nothing(self, callers: Callers) -> None:
        first = await signed_in(callers)
        second = (await refresh(callers.client, first["refresh_token"])).json()
        headers = {"Authorization": f"Bearer {second['access_token']}"}
        assert (await callers.client.post("/api/v1/auth/logout", headers=headers)).status_code == 204
        assert (await refresh(callers.client, first["refresh_token"])).status_code == 401

    async def test_many_at_once_get_one_successor(self, committing_callers: Callers) -> None:
        client, tokens = committing_callers.client, await signed_in(committing_callers)
        answers = await asyncio.gather(*(refresh(client, tokens["refresh_token"]) for _ in range(30)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        assert (await refresh(client, answers[0].json()["refresh_token"])).status_code == 200


class TestLogOut:
    async def test_needs_somebody_logged_in(self, client: AsyncClient) -> None:
        response = await client.post("/api/v1/auth/logout")
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "INVALID_TOKEN"

    async def test_cannot_be_done_twice(self, callers: Callers) -> None:
        tokens = await signed_in(callers)
        await log_out(callers.client, tokens)
        response = await log_out(callers.client, tokens)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "SESSION_ENDED"

    async def test_ends_access_with_the_next_request(self, callers: Callers) -> None:
        tokens = await signed_in(callers)
        assert (await get_me(callers.client, tokens)).status_code == 200
        response = await log_out(callers.client, tokens)
        assert (response.status_code, response.content) == (204, b"")
        assert (await get_me(callers.client, tokens)).json()["error"]["code"] == "SESSION_ENDED"
        assert (await refresh(callers.client, tokens["refresh_token"])).status_code == 401


class TestList:
    async def test_shows_where_i_am_logged_in_and_nobody_else(self, callers: Callers) -> None:
        ada, other = await callers.user(), await callers.user()
        await callers.client.post(
            "/api/v1/auth/token",
            data={"username": ada.email, "password": PASSWORD},
            headers={"User-Agent": "otter/1.0"},
        )
        ended = (await log_in(callers.client, ada.email)).json()
        await log_out(callers.client, ended)
        items = (await ada.get("/auth/sessions", sort="created_at")).json()["items"]
        assert [(item["device"], item["is_current"]) for item in items] == [
            (None, True),
            ("otter/1.0", False),
        ]
        assert items[0]["id"] == str(ada.actor.session_id)
        assert len((await other.get("/auth/sessions")).json()["items"]) == 1

    async def test_needs_a_session_that_stands(self, callers: Callers) -> None:
        ada = await callers.user()
        await ada.post("/auth/logout")
        assert (await ada.get("/auth/sessions")).status_code == 401


class TestEnd:
    async def test_of_one_ends_it_at_once(self, callers: Callers) -> None:
        ada = await callers.user()
        tokens = (await log_in(callers.client, ada.email)).json()
        assert (await ada.delete(f"/auth/sessions/{session_of(tokens)}")).status_code == 204
        assert (await get_me(callers.client, tokens)).status_code == 401
        assert (await refresh(callers.client, tokens["refresh_token"])).status_code == 401
        assert (await ada.get("/users/me")).status_code == 200
        assert (await ada.delete(f"/auth/sessions/{session_of(tokens)}")).status_code == 404

    async def test_of_somebody_else_s_is_refused(self, callers: Callers) -> None:
        ada, other = await callers.user(), await callers.user()
        answer = await ada.delete(f"/auth/sessions/{other.actor.session_id}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "SESSION_NOT_FOUND")
        assert (await other.get("/users/me")).status_code == 200

    async def test_of_all_others_leaves_this_one(self, callers: Callers) -> None:
        ada, other = await callers.user(), await callers.user()
        tokens = (await log_in(callers.client, ada.email)).json()
        assert (await ada.delete("/auth/sessions")).status_code == 204
        assert (await get_me(callers.client, tokens)).status_code == 401
        assert (await ada.get("/users/me")).status_code == 200
        assert (await other.get("/users/me")).status_code == 200
        await ada.post("/auth/logout")
        assert (await ada.delete("/auth/sessions")).status_code == 401

    async def test_of_all_others_leaves_those_that_have_ended_as_they_were(
        self, callers: Callers, database: Database
    ) -> None:
        ada = await callers.user()
        ended = session_of((await log_in(callers.client, ada.email)).json())
        row = update(UserSession).where(UserSession.id == ended)
        long_ago = select(UserSession.revoked_at < func.now() - WEEK).where(UserSession.id == ended)
        async with database.system_transaction() as session:
            await session.execute(row.values(revoked_at=func.now() - WEEK - SECOND))
        assert (await ada.delete("/auth/sessions")).status_code == 204
        async with database.reading() as session:
            assert await session.scalar(long_ago)

    async def test_who_is_shut_off_and_comes_back_must_log_in_again(self, callers: Callers) -> None:
        ada, admin = await callers.user(), await callers.user(SystemRole.ADMIN)
        for is_active in (False, True):
            await admin.patch(f"/users/{ada.id}", {"is_active": is_active})
            assert (await ada.get("/users/me")).status_code == 401
        assert (await log_in(callers.client, ada.email)).status_code == 200
