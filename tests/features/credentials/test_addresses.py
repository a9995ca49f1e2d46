"""Another e-mail address, which is confirmed before it counts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from httpx2 import AsyncClient, Response

from glasswork.core.db import Database
from glasswork.features.credentials.events import AddressChangeRequested
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.features.accounts.sign_in import error_of

from .letters import Postman, expire, token_in

pytestmark = pytest.mark.anyio

NEW = "new@example.org"


async def ask_for(caller: Caller, email: str = NEW, password: str = PASSWORD) -> Response:
    return await caller.post("/auth/change-email", {"email": email, "password": password})


async def confirm(client: AsyncClient, token: str) -> Response:
    return await client.post("/api/v1/auth/confirm-email", json={"token": token})


async def test_needs_the_password(callers: Callers) -> None:
    answer = await ask_for(await callers.user(), password="another otter 78")
    assert (answer.status_code, error_of(answer)["code"]) == (403, "WRONG_PASSWORD")


@pytest.mark.parametrize("email", ["nobody", "Ada <ada@example.org>", ""])
async def test_needs_an_address(callers: Callers, email: str) -> None:
    assert (await ask_for(await callers.user(), email)).status_code == 422


async def test_counts_when_it_is_confirmed(callers: Callers, postman: Postman) -> None:
    ada = await callers.user()
    assert (await ask_for(ada)).status_code == 204
    letter = await postman.deliver(AddressChangeRequested)
    assert letter
    assert letter.recipient == NEW
    assert (await ada.get("/users/me")).json()["email"] == ada.email
    token = token_in(letter)
    assert (await confirm(ada.client, token)).status_code == 204
    me = (await ada.get("/users/me")).json()
    assert me["email"] == NEW
    assert me["email_verified_at"] is not None
    assert (await confirm(ada.client, token)).status_code == 400


@pytest.mark.alone
async def test_a_day_later_it_can_no_longer_be_confirmed(
    callers: Callers, postman: Postman, database: Database
) -> None:
    ada = await callers.user()
    await ask_for(ada)
    token = token_in(await postman.deliver(AddressChangeRequested))
    assert await expire(database) == timedelta(hours=24)
    assert (await confirm(ada.client, token)).status_code == 400
    assert (await ada.get("/users/me")).json()["email"] == ada.email


async def test_nobody_learns_who_has_an_address_before_it_is_proved(
    callers: Callers, postman: Postman
) -> None:
    ada, other = await callers.user(), await callers.user()
    assert (await ask_for(ada, other.email)).status_code == 204
    answer = await confirm(ada.client, token_in(await postman.deliver(AddressChangeRequested)))
    assert (answer.status_code, error_of(answer)["code"]) == (409, "EMAIL_TAKEN")
    assert (await ada.get("/users/me")).json()["email"] == ada.email


async def test_a_changed_password_ends_the_request(callers: Callers, postman: Postman) -> None:
    ada = await callers.user()
    await ask_for(ada)
    token = token_in(await postman.deliver(AddressChangeRequested))
    changed = await ada.post(
        "/auth/change-password", {"password": PASSWORD, "new_password": "nimble beaver 4711"}
    )
    assert changed.status_code == 204
    assert (await confirm(ada.client, token)).status_code == 400


async def test_registration_can_be_closed(client: AsyncClient, change_settings: Callable[..., None]) -> None:
    new = {"email": "bob@example.com", "username": "bob", "name": "Bob", "password": PASSWORD}
    change_settings(registration="closed")
    answer = await client.post("/api/v1/auth/register", json=new)
    assert (answer.status_code, error_of(answer)["code"]) == (403, "REGISTRATION_CLOSED")
    change_settings(registration="open")
    assert (await client.post("/api/v1/auth/register", json=new)).status_code == 201
