"""Identities of an account: linked on purpose, listed, removed."""

from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import text

from glasswork.core.actor import Scope
from glasswork.core.db import Database
from glasswork.features.identities.events import IdentityCreated
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_api_token
from tests.features.accounts.sign_in import get_me
from tests.features.credentials.letters import Postman

from .dance import CALLBACK, START, log_in_with, refusal
from .provider import Provider
from .test_accounts import events

pytestmark = pytest.mark.anyio

LINK = f"{START}/link"


@pytest.fixture
async def ada(callers: Callers) -> Caller:
    """Her address is not that of the provider, and not verified."""
    return await callers.user()


def header(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def start_link(browser: AsyncClient, token: str) -> Response:
    return await browser.post(LINK, headers=header(token))


async def link(browser: AsyncClient, provider: Provider, user: Caller) -> Response:
    answer = await start_link(browser, user.token)
    assert answer.status_code == 200, answer.text
    return await browser.get(CALLBACK, params=provider.consent(answer.json()["authorization_url"]))


async def identities(user: Caller) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await user.get("/auth/identities")).json()["items"]
    return items


class TestLink:
    async def test_is_for_those_who_are_logged_in(self, browser: AsyncClient, ada: Caller) -> None:
        assert (await browser.post(LINK)).status_code == 401
        token = (await make_api_token(ada, *Scope))["token"]
        assert refusal(await start_link(browser, token)) == (403, "SESSION_REQUIRED")
        await ada.post("/auth/logout")
        assert refusal(await start_link(browser, ada.token)) == (401, "SESSION_ENDED")

    @pytest.mark.alone
    async def test_then_it_logs_in(
        self, browser: AsyncClient, provider: Provider, ada: Caller, database: Database, postman: Postman
    ) -> None:
        provider.person["email_verified"] = False
        answer = await link(browser, provider, ada)
        assert answer.status_code == 200, answer.text
        assert answer.json() == (await identities(ada))[0]
        assert (answer.json()["provider"], answer.json()["user_id"]) == ("acme", str(ada.id))
        assert await events(database) == ["identity.created"]
        tokens = (await log_in_with(browser, provider)).json()
        assert (await get_me(browser, tokens)).json()["id"] == str(ada.id)
        told = await postman.deliver(IdentityCreated)
        assert told is not None
        assert told.recipient == ada.email
        assert f"/auth/identities/{answer.json()['id']}" in told.body

    async def test_nobody_is_told_whose_account_is_shut(
        self, browser: AsyncClient, provider: Provider, ada: Caller, database: Database, postman: Postman
    ) -> None:
        assert (await link(browser, provider, ada)).status_code == 200
        async with database.system_transaction() as session:
            await session.execute(text("UPDATE users SET is_active = false"))
        assert await postman.deliver(IdentityCreated) is None

    async def test_somebody_elses_stays_theirs(
        self, browser: AsyncClient, provider: Provider, ada: Caller, callers: Callers
    ) -> None:
        bob = await callers.user()
        assert (await link(browser, provider, bob)).status_code == 200
        for user in (ada, bob):
            assert refusal(await link(browser, provider, user)) == (409, "IDENTITY_TAKEN")
        assert (len(await identities(ada)), len(await identities(bob))) == (0, 1)

    @pytest.mark.alone
    async def test_a_session_that_ends_on_the_way_links_nothing(
        self, browser: AsyncClient, provider: Provider, ada: Caller, database: Database
    ) -> None:
        url = (await start_link(browser, ada.token)).json()["authorization_url"]
        await ada.post("/auth/logout")
        answer = await browser.get(CALLBACK, params=provider.consent(url))
        assert refusal(answer) == (401, "SESSION_ENDED")
        assert await events(database) == []

    async def test_works_where_nobody_new_may_come(
        self, browser: AsyncClient, provider: Provider, ada: Caller, change_settings: Any
    ) -> None:
        change_settings(registration="closed", registration_min_age=16)
        assert (await link(browser, provider, ada)).status_code == 200


class TestIdentities:
    async def test_are_their_owners(
        self, browser: AsyncClient, provider: Provider, ada: Caller, callers: Callers
    ) -> None:
        bob = await callers.user()
        identity = (await link(browser, provider, ada)).json()
        assert await identities(bob) == []
        answer = await bob.delete(f"/auth/identities/{identity['id']}")
        assert refusal(answer) == (404, "IDENTITY_NOT_FOUND")
        assert await identities(ada) == [identity]

    @pytest.mark.alone
    async def test_one_that_is_removed_logs_nobody_in(
        self, browser: AsyncClient, provider: Provider, ada: Caller, database: Database
    ) -> None:
        identity = (await link(browser, provider, ada)).json()
        assert (await ada.delete(f"/auth/identities/{identity['id']}")).status_code == 204
        assert await identities(ada) == []
        assert await events(database) == ["identity.created", "identity.deleted"]
        provider.person["email_verified"] = False
        assert refusal(await log_in_with(browser, provider)) == (403, "EMAIL_NOT_VERIFIED")

    async def test_the_last_way_in_stays(self, browser: AsyncClient, provider: Provider) -> None:
        token = (await log_in_with(browser, provider)).json()["access_token"]
        provider.person["sub"] = "another"
        url = (await start_link(browser, token)).json()["authorization_url"]
        await browser.get(CALLBACK, params=provider.consent(url))
        path = "/api/v1/auth/identities"
        first, second = (await browser.get(path, headers=header(token))).json()["items"]
        answer = await browser.delete(f"{path}/{first['id']}", headers=header(token))
        assert answer.status_code == 204
        answer = await browser.delete(f"{path}/{second['id']}", headers=header(token))
        assert refusal(answer) == (409, "LAST_WAY_IN")
