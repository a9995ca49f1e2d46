"""Another password: by who knows the old one, and by who reads the mail of the account."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select, text, update

from glasswork.core.db import Database
from glasswork.core.events import InstallationEvent
from glasswork.features.accounts.models import User
from glasswork.features.credentials.events import PasswordChanged, PasswordForgot
from glasswork.features.credentials.models import OneTimeToken
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.features.accounts.sign_in import error_of, get_me, log_in, refresh

from .letters import Postman, expire, token_in

pytestmark = pytest.mark.anyio

NEW = "nimble beaver 4711"


async def change(caller: Caller, password: str = PASSWORD, new: str = NEW) -> Response:
    return await caller.post("/auth/change-password", {"password": password, "new_password": new})


async def forget(client: AsyncClient, email: str) -> Response:
    return await client.post("/api/v1/auth/forgot-password", json={"email": email})


async def reset(client: AsyncClient, token: str, new: str = NEW) -> Response:
    return await client.post("/api/v1/auth/reset-password", json={"token": token, "new_password": new})


class TestChange:
    async def test_needs_a_session(self, client: AsyncClient) -> None:
        body = {"password": PASSWORD, "new_password": NEW}
        assert (await client.post("/api/v1/auth/change-password", json=body)).status_code == 401

    async def test_needs_the_old_one(self, callers: Callers) -> None:
        ada = await callers.user()
        answer = await change(ada, password="another otter 78")
        assert (answer.status_code, error_of(answer)["code"]) == (403, "WRONG_PASSWORD")
        assert (await log_in(callers.client, ada.email)).status_code == 200

    @pytest.mark.parametrize("new", ["short 1", "a" * 129, "password2026", "\ud800" * 12, "aaaaaaaaaaaa"])
    async def test_needs_one_that_is_fit(self, callers: Callers, new: str) -> None:
        ada = await callers.user()
        body = {"password": PASSWORD, "new_password": new}
        answer = await ada.client.post(
            "/api/v1/auth/change-password",
            content=json.dumps(body),
            headers={"Authorization": f"Bearer {ada.token}", "Content-Type": "application/json"},
        )
        assert answer.status_code == 422
        assert error_of(answer)["details"]["errors"][0]["loc"] == ["body", "new_password"]
        assert new not in answer.text
        assert (await log_in(callers.client, ada.email)).status_code == 200

    async def test_ends_every_other_session_and_tells_the_owner(
        self, callers: Callers, postman: Postman
    ) -> None:
        ada = await callers.user()
        other = (await log_in(callers.client, ada.email)).json()
        assert (await change(ada)).status_code == 204
        assert (await get_me(callers.client, other)).status_code == 401
        assert (await refresh(callers.client, other["refresh_token"])).status_code == 401
        assert (await ada.get("/users/me")).status_code == 200
        assert (await log_in(callers.client, ada.email)).status_code == 401
        assert (await log_in(callers.client, ada.email, NEW)).status_code == 200
        letter = await postman.deliver(PasswordChanged)
        assert letter
        assert (letter.recipient, letter.subject) == (ada.email, "Your password was changed")

    async def test_with_rules_it_must_be_mixed(self, callers: Callers, app: FastAPI) -> None:
        ada = await callers.user()
        settings = app.state.settings
        app.state.settings = settings.model_copy(update={"password_rules": "complex"})
        try:
            assert (await change(ada, new="nimble beaver 4711")).status_code == 422
            assert (await change(ada, new="Nimble beaver 4711")).status_code == 204
        finally:
            app.state.settings = settings


class TestForgotten:
    @pytest.mark.alone
    async def test_answers_alike_whether_there_is_such_an_account(
        self, callers: Callers, database: Database
    ) -> None:
        ada, gone = await callers.user(), await callers.user()
        async with database.transaction() as session:
            await session.execute(update(User).where(User.id == gone.id).values(is_active=False))
        answers = [
            await forget(callers.client, email) for email in (ada.email, gone.email, "no@body.example")
        ]
        assert {(answer.status_code, answer.content) for answer in answers} == {(204, b"")}
        orders = text("SELECT entrypoint FROM jobs.pgqueuer")
        async with database.reading() as session:
            assert list(await session.scalars(orders)) == ["credentials.send_reset"] * 3

    @pytest.mark.parametrize("email", [None, 7, "nobody", ["a@b.example", "c@d.example"], "a@b.example\n"])
    async def test_refuses_what_is_no_address(self, client: AsyncClient, email: Any) -> None:
        answer = await client.post("/api/v1/auth/forgot-password", json={"email": email})
        assert answer.status_code == 422

    async def test_nobody_is_written_to_where_there_is_no_account(
        self, client: AsyncClient, postman: Postman
    ) -> None:
        await forget(client, "no@body.example")
        assert await postman.deliver(PasswordForgot) is None

    async def test_a_token_is_sent_to_the_address_of_the_account(
        self, callers: Callers, postman: Postman
    ) -> None:
        ada = await callers.user()
        await callers.client.post(
            "/api/v1/auth/forgot-password", json={"email": ada.email.upper()}, headers={"Host": "localhost"}
        )
        letter = await postman.deliver(PasswordForgot)
        assert letter
        assert letter.recipient == ada.email
        assert "https://example.com/api/v1/auth/reset-password" in letter.body


class TestReset:
    async def token(self, ada: Caller, postman: Postman) -> str:
        await forget(ada.client, ada.email)
        return token_in(await postman.deliver(PasswordForgot))

    async def test_sets_it_ends_all_sessions_and_is_good_once(
        self, callers: Callers, postman: Postman
    ) -> None:
        ada = await callers.user()
        token = await self.token(ada, postman)
        assert (await reset(callers.client, token)).status_code == 204
        assert (await ada.get("/users/me")).status_code == 401
        assert (await log_in(callers.client, ada.email, NEW)).status_code == 200
        again = await reset(callers.client, token, "another badger 12")
        assert (again.status_code, error_of(again)["code"]) == (400, "INVALID_ONE_TIME_TOKEN")
        assert (await log_in(callers.client, ada.email, NEW)).status_code == 200

    async def test_an_unfit_password_uses_nothing_up(self, callers: Callers, postman: Postman) -> None:
        ada = await callers.user()
        token = await self.token(ada, postman)
        assert (await reset(callers.client, token, "password2026")).status_code == 422
        assert (await reset(callers.client, token)).status_code == 204

    async def test_ends_what_others_had_asked_for(self, callers: Callers, postman: Postman) -> None:
        ada, bob = await callers.user(), await callers.user()
        first, second, bobs = [await self.token(each, postman) for each in (ada, ada, bob)]
        assert (await reset(callers.client, second)).status_code == 204
        assert (await reset(callers.client, first, "another badger 12")).status_code == 400
        assert (await reset(callers.client, bobs)).status_code == 204

    @pytest.mark.alone
    async def test_half_an_hour_later_it_is_good_for_nothing(
        self, callers: Callers, postman: Postman, database: Database
    ) -> None:
        ada = await callers.user()
        token = await self.token(ada, postman)
        async with database.reading() as session:
            kept = await session.execute(select(OneTimeToken.token_hash))
            assert token not in kept.scalar_one()
        assert await expire(database) == timedelta(minutes=30)
        assert (await reset(callers.client, token)).status_code == 400

    async def test_is_not_for_who_was_shut_off(
        self, callers: Callers, postman: Postman, database: Database
    ) -> None:
        ada = await callers.user()
        token = await self.token(ada, postman)
        async with database.transaction() as session:
            await session.execute(update(User).where(User.id == ada.id).values(is_active=False))
        assert (await reset(callers.client, token)).status_code == 400

    async def test_a_token_that_verifies_resets_nothing(self, callers: Callers, postman: Postman) -> None:
        ada = await callers.user()
        token = await self.token(ada, postman)
        answer = await callers.client.post("/api/v1/auth/verify-email", json={"token": token})
        assert answer.status_code == 400

    async def test_of_several_at_once_one_goes_through(
        self, committing_callers: Callers, committing_app: FastAPI
    ) -> None:
        ada = await committing_callers.user()
        token = await self.token(ada, Postman(committing_app, committing_callers.database))
        answers = await asyncio.gather(
            *(reset(ada.client, token, f"nimble beaver {number}") for number in range(4))
        )
        assert sorted(answer.status_code for answer in answers) == [204, 400, 400, 400]


@pytest.mark.alone
async def test_no_event_holds_a_secret(callers: Callers, postman: Postman, database: Database) -> None:
    ada = await callers.user()
    await change(ada)
    await forget(callers.client, ada.email)
    token = token_in(await postman.deliver(PasswordForgot))
    async with database.reading() as session:
        events = (await session.scalars(select(InstallationEvent))).all()
    told = str([(event.before, event.after) for event in events])
    assert len(events) == 2
    assert all(secret not in told for secret in (PASSWORD, NEW, token))
