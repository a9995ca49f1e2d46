import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.accounts.models import SystemRole
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.setup.service import SetupService
from tests.conftest import make_client
from tests.factories.callers import PASSWORD, Callers
from tests.features.accounts.sign_in import error_of, log_in, register

pytestmark = pytest.mark.anyio

BOSS = {"email": "boss@example.com", "username": "boss", "name": "The Boss", "password": PASSWORD}


async def issue(database: Database) -> str | None:
    """As each start of `serve` does."""
    async with database.transaction() as session:
        return await SetupService(session, PasswordRules(12)).issue()


async def set_up(client: AsyncClient, token: object, **changes: Any) -> Response:
    return await client.post("/api/v1/auth/first-admin", json=BOSS | {"token": token} | changes)


class TestRefusals:
    @pytest.mark.parametrize("token", ["gws_" + "A" * 43, "nonsense", "\x00"])
    async def test_of_a_wrong_token(self, client: AsyncClient, database: Database, token: str) -> None:
        assert (await set_up(client, token)).status_code == 400
        genuine = await issue(database)
        answer = await set_up(client, token)
        assert (answer.status_code, error_of(answer)["code"]) == (400, "INVALID_ONE_TIME_TOKEN")
        assert (await log_in(client, "boss")).status_code == 401
        assert (await set_up(client, genuine)).status_code == 201

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"password": "password1234"}, "password"),
            ({"password": "boss boss boss"}, "password"),
            ({"password": "short"}, "password"),
            ({"username": "a b"}, "username"),
            ({"email": "boss"}, "email"),
            ({"name": " "}, "name"),
            ({"role": "user"}, "role"),
        ],
        ids=str,
    )
    async def test_of_bad_input_leaves_the_token(
        self, client: AsyncClient, database: Database, changes: dict[str, Any], field: str
    ) -> None:
        token = await issue(database)
        answer = await set_up(client, token, **changes)
        assert answer.status_code == 422
        assert error_of(answer)["details"]["errors"][0]["loc"] == ["body", field]
        assert (await set_up(client, token)).status_code == 201

    async def test_of_what_is_taken_leaves_the_token(self, client: AsyncClient, database: Database) -> None:
        token = await issue(database)
        await register(client, email="BOSS@example.com", username="other")
        answer = await set_up(client, token)
        assert (answer.status_code, error_of(answer)["code"]) == (409, "EMAIL_TAKEN")
        assert (await set_up(client, token, email="chief@example.com")).status_code == 201

    async def test_once_there_is_an_admin(
        self, client: AsyncClient, callers: Callers, database: Database
    ) -> None:
        token = await issue(database)
        await callers.user(SystemRole.ADMIN)
        answer = await set_up(client, token)
        assert (answer.status_code, error_of(answer)["code"]) == (409, "ADMIN_EXISTS")


class TestSetUp:
    @pytest.mark.alone
    async def test_opens_an_account_that_administers(self, client: AsyncClient, database: Database) -> None:
        answer = await set_up(client, await issue(database))
        assert answer.status_code == 201
        user = answer.json()
        assert (user["email"], user["username"], user["role"]) == ("boss@example.com", "boss", "admin")
        assert answer.headers["Location"] == f"/api/v1/users/{user['id']}"
        token = (await log_in(client, "boss")).json()["access_token"]
        listed = await client.get("/api/v1/users", headers={"Authorization": f"Bearer {token}"})
        assert [each["id"] for each in listed.json()["items"]] == [user["id"]]

    async def test_needs_no_open_registration(
        self, client: AsyncClient, database: Database, change_settings: Any
    ) -> None:
        change_settings(registration="closed", registration_min_age=18)
        assert (await register(client)).status_code == 403
        assert (await set_up(client, await issue(database))).status_code == 201

    async def test_each_start_has_a_token_that_works(self, client: AsyncClient, database: Database) -> None:
        first, second = await issue(database), await issue(database)
        assert first != second
        assert (await set_up(client, first)).status_code == 201
        answer = await set_up(client, second, email="eve@example.com", username="eve")
        assert (answer.status_code, error_of(answer)["code"]) == (409, "ADMIN_EXISTS")

    async def test_an_old_link_does_not_work_when_there_is_no_admin_any_longer(
        self, client: AsyncClient, database: Database
    ) -> None:
        first, second = await issue(database), await issue(database)
        assert (await set_up(client, first)).status_code == 201
        await self.shut_off_all(database)
        assert (await set_up(client, second, email="eve@example.com", username="eve")).status_code == 400
        third = await issue(database)
        assert (await set_up(client, third, email="eve@example.com", username="eve")).status_code == 201

    async def test_no_token_is_issued_when_there_is_an_admin(
        self, client: AsyncClient, callers: Callers, database: Database
    ) -> None:
        printed = await issue(database)
        await callers.user(SystemRole.ADMIN)
        assert await issue(database) is None
        await self.shut_off_all(database)
        assert (await set_up(client, printed)).status_code == 400

    @pytest.mark.alone
    async def test_only_a_hash_is_kept(self, database: Database) -> None:
        token = await issue(database)
        assert token is not None
        async with database.reading() as session:
            kept = (
                await session.scalars(text("SELECT to_jsonb(setup_tokens)::text FROM setup_tokens"))
            ).one()
        assert token not in kept
        assert token.removeprefix("gws_") not in kept

    async def test_of_two_who_race_one_goes_through(self, committing_app: FastAPI) -> None:
        tokens = [await issue(committing_app.state.database) for _ in range(4)]
        async with make_client(committing_app) as client:
            answers = await asyncio.gather(
                *(
                    set_up(client, token, email=f"u{number}@example.com", username=f"user{number}")
                    for number, token in enumerate(tokens)
                )
            )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]

    @staticmethod
    async def shut_off_all(database: Database) -> None:
        async with database.transaction() as session:
            await session.execute(text("UPDATE users SET is_active = false"))


class TestPage:
    async def test_it_holds_nothing_and_loads_nothing_from_elsewhere(self, client: AsyncClient) -> None:
        page = await client.get("/setup")
        assert page.status_code == 200
        assert "default-src 'none'; script-src 'self'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert "http://" not in page.text.replace("http://www.w3.org", "")
        assert "https://" not in page.text
        for name in ("setup.js", "setup.css"):
            assert f"/setup/assets/{name}" in page.text
            assert (await client.get(f"/setup/assets/{name}")).status_code == 200
