"""How often letters are asked for, and tokens and one's own password guessed, until that has to wait."""

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from glasswork.core.db import Database
from glasswork.features.credentials.events import PasswordForgot
from tests.conftest import make_client
from tests.factories.callers import PASSWORD, Callers
from tests.factories.guesses import wait
from tests.features.accounts.sign_in import log_in

from .letters import Postman, token_in
from .test_passwords import NEW, change, forget, reset

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("limited")]

WRONG = "another otter 78"
STRANGER = "192.0.2.99"


class TestLetters:
    @pytest.mark.parametrize("is_known", [True, False])
    async def test_one_a_minute_whether_there_is_such_an_account(
        self, app: FastAPI, callers: Callers, database: Database, *, is_known: bool
    ) -> None:
        email = (await callers.user()).email if is_known else "no@body.example"
        assert [(await forget(callers.client, email)).status_code for _ in range(3)] == [204, 204, 429]
        async with make_client(app, STRANGER) as stranger:
            refused = await forget(stranger, email.upper())
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
            assert (await forget(stranger, (await callers.user()).email)).status_code == 204
        await wait(database, seconds=60)
        assert [(await forget(callers.client, email)).status_code for _ in range(2)] == [204, 429]

    async def test_one_address_cannot_have_letters_sent_to_everybody(
        self, app: FastAPI, client: AsyncClient
    ) -> None:
        statuses = [(await forget(client, f"user{number}@example.org")).status_code for number in range(52)]
        assert statuses == [204] * 51 + [429]
        async with make_client(app, STRANGER) as other:
            assert (await forget(other, "user52@example.org")).status_code == 204

    async def test_what_is_no_address_does_not_count(self, callers: Callers) -> None:
        statuses = [(await forget(callers.client, "nobody")).status_code for _ in range(60)]
        assert statuses == [422] * 60
        assert (await forget(callers.client, (await callers.user()).email)).status_code == 204


async def test_tokens_are_guessed_at_all_doors_together(
    app: FastAPI, callers: Callers, postman: Postman, database: Database
) -> None:
    ada = await callers.user()
    await forget(ada.client, ada.email)
    token = token_in(await postman.deliver(PasswordForgot))

    async def try_door(number: int) -> int:
        name, more = [("reset", {"new_password": NEW}), ("verify", {}), ("confirm", {})][number % 3]
        path = f"/api/v1/auth/{name}-{'password' if more else 'email'}"
        return (await callers.client.post(path, json={"token": f"gwo_{number}", **more})).status_code

    assert [await try_door(number) for number in range(54)] == [400] * 51 + [429] * 3
    assert (await reset(callers.client, token)).status_code == 429
    async with make_client(app, STRANGER) as other:
        assert (await reset(other, "gwo_")).status_code == 400
    await wait(database, seconds=1)
    assert (await reset(callers.client, token)).status_code == 204


class TestMyOwnPassword:
    @pytest.mark.parametrize("path", ["change-password", "change-email"])
    async def test_a_stolen_session_does_not_find_it_out(
        self, callers: Callers, database: Database, path: str
    ) -> None:
        ada, bob = await callers.user(), await callers.user()
        more = {"new_password": NEW} if path == "change-password" else {"email": "new@example.org"}

        async def attempt(password: str) -> int:
            return (await ada.post(f"/auth/{path}", {"password": password, **more})).status_code

        assert [await attempt(WRONG) for _ in range(7)] == [403] * 6 + [429]
        assert await attempt(PASSWORD) == 429
        assert (await change(bob)).status_code == 204
        assert (await log_in(callers.client, ada.email)).status_code == 200
        await wait(database, seconds=1)
        assert await attempt(PASSWORD) == 204

    async def test_an_unfit_new_one_is_no_guess(self, callers: Callers) -> None:
        ada = await callers.user()
        assert [(await change(ada, new="password2026")).status_code for _ in range(8)] == [422] * 8
        assert (await change(ada)).status_code == 204

    async def test_who_is_not_signed_in_guesses_nothing(self, client: AsyncClient, callers: Callers) -> None:
        ada = await callers.user()
        body = {"password": WRONG, "new_password": NEW}
        statuses = [
            (await client.post("/api/v1/auth/change-password", json=body)).status_code for _ in range(8)
        ]
        assert statuses == [401] * 8
        assert (await change(ada)).status_code == 204
