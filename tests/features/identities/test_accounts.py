"""Whose account an identity opens."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.accounts.events import UserCreated
from glasswork.features.accounts.models import SystemRole
from glasswork.features.credentials.events import PasswordForgot
from glasswork.features.identities.events import IdentityCreated
from glasswork.features.identities.policy import usernames_for
from tests.conftest import make_client
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.features.accounts.sign_in import get_me, log_in
from tests.features.credentials.letters import Postman, token_in
from tests.features.second_factors.authenticator import turn_on

from .dance import log_in_with, refusal
from .provider import Provider, knowing

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ada(callers: Callers, provider: Provider) -> Caller:
    """Has an account with the address that the provider knows, not yet verified."""
    ada = await callers.user()
    provider.person["email"] = ada.email
    return ada


async def verify(database: Database, user: Caller) -> None:
    async with database.transaction() as session:
        statement = text("UPDATE users SET email_verified_at = now() WHERE id = :id")
        await session.execute(statement, {"id": user.id})


async def events(database: Database) -> list[str]:
    async with database.reading() as session:
        return list(await session.scalars(text("SELECT type FROM installation_events ORDER BY id")))


async def user_of(browser: AsyncClient, provider: Provider) -> UUID:
    answer = await log_in_with(browser, provider)
    assert answer.status_code == 200, answer.text
    return UUID((await get_me(browser, answer.json())).json()["id"])


class TestKnown:
    @pytest.mark.alone
    async def test_is_the_same_person_the_next_time(
        self, browser: AsyncClient, provider: Provider, database: Database
    ) -> None:
        first = await user_of(browser, provider)
        assert await events(database) == ["user.created", "identity.created"]
        provider.person |= {"email": "moved@example.com", "email_verified": False, "name": None}
        assert await user_of(browser, provider) == first
        assert await events(database) == ["user.created", "identity.created"]
        async with database.reading() as session:
            used = "SELECT last_used_at >= created_at FROM identities"
            assert (await session.scalars(text(used))).all() == [True]

    async def test_another_subject_is_another_person(self, browser: AsyncClient, provider: Provider) -> None:
        first = await user_of(browser, provider)
        provider.person |= {"sub": "ADA-1815", "email": "other@example.com"}
        assert await user_of(browser, provider) != first

    async def test_whose_account_is_shut_off(
        self, browser: AsyncClient, provider: Provider, callers: Callers
    ) -> None:
        admin = await callers.user(SystemRole.ADMIN)
        user_id = await user_of(browser, provider)
        await admin.patch(f"/users/{user_id}", {"is_active": False})
        assert refusal(await log_in_with(browser, provider)) == (403, "ACCOUNT_DISABLED")
        await admin.patch(f"/users/{user_id}", {"is_active": True})
        assert await user_of(browser, provider) == user_id

    @pytest.mark.parametrize("changes", [{"registration": "closed"}, {"registration_min_age": 16}], ids=str)
    async def test_logs_in_where_nobody_new_may_come(
        self, browser: AsyncClient, provider: Provider, change_settings: Callable[..., None], changes: Any
    ) -> None:
        first = await user_of(browser, provider)
        change_settings(**changes)
        assert await user_of(browser, provider) == first


class TestSameAddress:
    @pytest.mark.alone
    async def test_is_linked_when_both_have_verified_it(
        self, browser: AsyncClient, provider: Provider, database: Database, ada: Caller
    ) -> None:
        await verify(database, ada)
        provider.person["email"] = ada.email.upper()
        assert await user_of(browser, provider) == ada.id
        assert await events(database) == ["identity.created"]
        assert (await ada.get("/users/me")).status_code == 200

    @pytest.mark.alone
    @pytest.mark.parametrize("vouched", [False, None, "true", 1])
    async def test_is_not_linked_when_the_provider_has_not(
        self, browser: AsyncClient, provider: Provider, database: Database, ada: Caller, vouched: Any
    ) -> None:
        await verify(database, ada)
        provider.person["email_verified"] = vouched
        assert refusal(await log_in_with(browser, provider)) == (409, "IDENTITY_LINK_REQUIRED")
        assert await events(database) == []

    @pytest.mark.alone
    @pytest.mark.usefixtures("ada")
    async def test_is_not_linked_when_we_have_not(
        self, browser: AsyncClient, provider: Provider, database: Database
    ) -> None:
        """Somebody may have opened the account in advance, with the address of another one."""
        assert refusal(await log_in_with(browser, provider)) == (409, "IDENTITY_LINK_REQUIRED")
        assert await events(database) == []

    async def test_is_not_linked_to_an_account_that_is_shut_off(
        self, browser: AsyncClient, provider: Provider, database: Database, ada: Caller, callers: Callers
    ) -> None:
        await verify(database, ada)
        admin = await callers.user(SystemRole.ADMIN)
        await admin.patch(f"/users/{ada.id}", {"is_active": False})
        assert refusal(await log_in_with(browser, provider)) == (403, "ACCOUNT_DISABLED")

    async def test_a_username_is_no_address(
        self, browser: AsyncClient, provider: Provider, database: Database, ada: Caller
    ) -> None:
        await verify(database, ada)
        provider.person["email"] = ada.username
        assert refusal(await log_in_with(browser, provider)) == (403, "EMAIL_NOT_VERIFIED")


async def test_the_second_factor_is_asked_for(
    browser: AsyncClient, provider: Provider, database: Database, ada: Caller
) -> None:
    phone = await turn_on(ada, database)
    await verify(database, ada)
    assert refusal(await log_in_with(browser, provider)) == (401, "SECOND_FACTOR_REQUIRED")
    refused = await log_in_with(browser, provider)
    assert refusal(refused) == (401, "SECOND_FACTOR_REQUIRED")
    assert (await events(database)).count("identity.created") == 1
    body = {"challenge": refused.json()["error"]["details"]["challenge"], "code": await phone.code()}
    answer = await browser.post("/api/v1/auth/second-factor", json=body)
    assert (await get_me(browser, answer.json())).json()["id"] == str(ada.id)


class TestStranger:
    @pytest.mark.alone
    @pytest.mark.parametrize(
        "person",
        [
            {"email_verified": False},
            {"email_verified": None},
            {"email_verified": "true"},
            {"email": None},
            {"email": ""},
            {"email": ["ada@example.com"]},
            {"email": "Ada <ada@example.com>"},
            {"email": "ada@example.com\0"},
            {"email": f"{'a' * 250}@example.com"},
        ],
        ids=str,
    )
    async def test_without_an_address_that_holds(
        self, browser: AsyncClient, provider: Provider, database: Database, person: dict[str, Any]
    ) -> None:
        right = provider.person
        provider.person = right | person
        assert refusal(await log_in_with(browser, provider)) == (403, "EMAIL_NOT_VERIFIED")
        assert await events(database) == []
        provider.person = right
        assert (await log_in_with(browser, provider)).status_code == 200

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"registration": "closed"}, "REGISTRATION_CLOSED"),
            ({"registration": "invited"}, "REGISTRATION_CLOSED"),
            ({"registration_min_age": 16}, "AGE_UNKNOWN"),
        ],
        ids=str,
    )
    async def test_where_nobody_may_just_come(
        self,
        browser: AsyncClient,
        provider: Provider,
        change_settings: Callable[..., None],
        changes: dict[str, Any],
        code: str,
    ) -> None:
        change_settings(**changes)
        assert refusal(await log_in_with(browser, provider)) == (403, code)

    async def test_gets_a_name_that_nobody_has(self, browser: AsyncClient, provider: Provider) -> None:
        names = []
        for host in ("a", "b", "c"):
            provider.person |= {"sub": host, "email": f"Ada.Lovelace@{host}.example.com", "name": " \n"}
            answer = await log_in_with(browser, provider)
            me = (await get_me(browser, answer.json())).json()
            names.append(me["username"])
            assert me["name"] == me["username"]
        assert names[0] == "Ada_Lovelace"
        assert len(set(names)) == 3

    @pytest.mark.parametrize(
        ("email", "first"),
        [
            ("ada@example.com", "ada"),
            ("a@example.com", "user_a"),
            ("ada.lovelace+x@example.com", "ada_lovelace_x"),
            ("é@example.com", "user"),
            ("augusta.ada.king.countess@example.com", "augusta_ada_king_cou"),
        ],
    )
    def test_what_it_is_called(self, email: str, first: str) -> None:
        names = list(usernames_for(email))
        assert names[0] == first
        assert len(names) == len(set(names))
        assert all(3 <= len(name) <= 20 and name.replace("_", "a").isalnum() for name in names)

    async def test_gets_no_mail_that_asks_to_confirm(
        self, browser: AsyncClient, provider: Provider, postman: Postman
    ) -> None:
        await log_in_with(browser, provider)
        assert await postman.deliver(UserCreated) is None
        told = await postman.deliver(IdentityCreated)
        assert told is not None
        assert (told.recipient, told.subject) == ("ada@example.com", "A new way to log in")
        assert "acme" in told.body


class TestWithoutPassword:
    @pytest.mark.parametrize("password", [PASSWORD, "nobody has this password", "", "None"])
    async def test_no_password_is_right(
        self, browser: AsyncClient, provider: Provider, password: str
    ) -> None:
        tokens = (await log_in_with(browser, provider)).json()
        for login in ("ada", "ada@example.com"):
            answer = await log_in(browser, login, password or " ")
            assert refusal(answer) == (401, "INVALID_CREDENTIALS")
        change = {"password": password or " ", "new_password": f"{PASSWORD} too"}
        header = {"Authorization": f"Bearer {tokens['access_token']}"}
        answer = await browser.post("/api/v1/auth/change-password", json=change, headers=header)
        assert refusal(answer) == (403, "WRONG_PASSWORD")

    async def test_one_can_be_set(self, browser: AsyncClient, provider: Provider, postman: Postman) -> None:
        user_id = await user_of(browser, provider)
        await browser.post("/api/v1/auth/forgot-password", json={"email": "ada@example.com"})
        token = token_in(await postman.deliver(PasswordForgot))
        body = {"token": token, "new_password": PASSWORD}
        assert (await browser.post("/api/v1/auth/reset-password", json=body)).status_code == 204
        assert (await log_in(browser, "ada")).status_code == 200
        assert await user_of(browser, provider) == user_id


async def test_who_comes_twice_at_once_is_one_person(committing_app: FastAPI, provider: Provider) -> None:
    async def once() -> int:
        async with make_client(committing_app) as browser:
            return (await log_in_with(browser, provider)).status_code

    async with knowing(committing_app, provider):
        statuses = await asyncio.gather(*(once() for _ in range(4)))
    assert 200 in statuses
    assert set(statuses) <= {200, 409}
    async with committing_app.state.database.reading() as session:
        counts = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM identities)"
        assert (await session.execute(text(counts))).one() == (1, 1)
