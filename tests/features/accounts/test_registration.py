import asyncio
import json
from typing import Any

import pytest
from httpx2 import AsyncClient

from glasswork.app import create_app
from glasswork.core.db import Database
from glasswork.core.settings import Settings
from glasswork.features.accounts.models import SystemRole
from tests.conftest import make_client
from tests.factories.callers import PASSWORD, Callers

from .sign_in import ADA, log_in, register

pytestmark = pytest.mark.anyio

UNFIT = [
    "short 7",
    "only eleven",
    "many signs " * 12,
    "Passw0rd!2026",
    "qwertyqwerty1",
    "abababababab",
    "948271650382",
    "Ada_L_12345678",
    "ada.1234567890",
    "tremendous \ud800 otter",
    "",
    None,
    1_234_567_890_123,
    ["tremendous otter 77"],
]


class TestRegister:
    @pytest.mark.parametrize("email", ["Ada@example.com", "ADA@EXAMPLE.COM", "ada@example.com"])
    async def test_refuses_a_taken_email(self, client: AsyncClient, email: str) -> None:
        await register(client)
        response = await register(client, email=email, username="other")
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "EMAIL_TAKEN"

    @pytest.mark.parametrize("username", ["Ada_L", "ada_l", "ADA_L"])
    async def test_refuses_a_taken_username(self, client: AsyncClient, username: str) -> None:
        await register(client)
        response = await register(client, email="other@example.com", username=username)
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "USERNAME_TAKEN"

    @pytest.mark.parametrize("password", UNFIT, ids=ascii)
    async def test_refuses_an_unfit_password(self, client: AsyncClient, password: Any) -> None:
        body = json.dumps(ADA | {"password": password})
        response = await client.post(
            "/api/v1/auth/register", content=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 422
        (error,) = response.json()["error"]["details"]["errors"]
        assert error["loc"] == ["body", "password"]
        assert not password or json.dumps(password) not in response.text

    async def test_names_the_length_that_a_password_must_have(self, client: AsyncClient) -> None:
        response = await register(client, password="only eleven")
        (error,) = response.json()["error"]["details"]["errors"]
        assert error == {
            "loc": ["body", "password"],
            "code": "unfit_password",
            "message": "must have at least 12 characters",
        }

    async def test_counts_characters_whichever_bound_it_misses(self, client: AsyncClient) -> None:
        response = await register(client, password="short")
        (error,) = response.json()["error"]["details"]["errors"]
        assert error["message"] == "Value should have at least 8 characters, not 5"

    @pytest.mark.parametrize(
        "fault",
        [
            {"email": email}
            for email in ("", "ada", "ada@", "@example.com", "a\0@example.com", "a@b@c.de", None)
        ]
        + [{"email": "a" * 64 + "@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + ".com"}]
        + [
            {"username": name}
            for name in ("", "ab", "a" * 21, "a b", "ädä", "ada\n", "ada@b", "a\0da", None, 1)
        ]
        + [{"name": name} for name in ("", " ", "a\0b", "\ud800", "a" * 101, None, 1)]
        + [{"role": "admin"}, {"is_active": True}, {"id": "01a20877-605a-77ac-98a9-a1e001a82dcd"}],
        ids=ascii,
    )
    async def test_refuses_bad_input(self, client: AsyncClient, fault: dict[str, Any]) -> None:
        body = json.dumps(ADA | fault)
        response = await client.post(
            "/api/v1/auth/register", content=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", *fault]
        assert PASSWORD not in response.text

    async def test_a_refusal_stores_nothing(self, client: AsyncClient) -> None:
        assert (await register(client, password="password1234")).status_code == 422
        assert (await register(client, username="ada l")).status_code == 422
        assert (await register(client)).status_code == 201

    @pytest.mark.parametrize("field", ADA)
    async def test_needs_every_field(self, client: AsyncClient, field: str) -> None:
        body = {name: value for name, value in ADA.items() if name != field}
        response = await client.post("/api/v1/auth/register", json=body)
        assert response.status_code == 422
        (error,) = response.json()["error"]["details"]["errors"]
        assert (error["loc"], error["code"]) == (["body", field], "missing")

    async def test_of_two_at_once_with_one_email_one_goes_through(self, committing_callers: Callers) -> None:
        client = committing_callers.client
        responses = await asyncio.gather(*(register(client, username=f"ada_{n}") for n in range(2)))
        assert sorted(response.status_code for response in responses) == [201, 409]

    async def test_shows_the_account(self, client: AsyncClient, callers: Callers) -> None:
        response = await register(client, name="  Ada Lovelace ")
        made = response.json()
        assert response.status_code == 201
        assert made == {
            "id": made["id"],
            "email": "Ada@example.com",
            "username": "Ada_L",
            "name": "Ada Lovelace",
            "role": "user",
            "is_active": True,
            "email_verified_at": None,
            "version": 1,
            "created_at": made["created_at"],
            "updated_at": made["created_at"],
        }
        assert response.headers["ETag"] == '"1"'
        assert response.headers["Location"] == f"/api/v1/users/{made['id']}"
        admin = await callers.user(SystemRole.ADMIN)
        assert (await admin.get(f"/users/{made['id']}")).json() == made

    async def test_shows_neither_password_nor_hash(self, client: AsyncClient) -> None:
        text = (await register(client)).text
        assert PASSWORD not in text
        assert "argon2" not in text

    @pytest.mark.parametrize("password", [" leading otter 77", "trailing otter 77 ", "öttér ünd \0 77"])
    async def test_keeps_the_password_as_it_is(self, client: AsyncClient, password: str) -> None:
        assert (await register(client, password=password)).status_code == 201
        assert (await log_in(client, "ada_l", password.replace("\0", "").strip() + ".")).status_code == 401
        assert (await log_in(client, "ada_l", password)).status_code == 200

    async def test_the_same_letters_in_another_encoding_are_the_same_password(
        self, client: AsyncClient
    ) -> None:
        await register(client, password="caf\u00e9 otter 77")
        assert (await log_in(client, "ada_l", "cafe\u0301 otter 77")).status_code == 200

    async def test_the_least_length_is_a_setting(self, settings: Settings, database: Database) -> None:
        app = create_app(settings.model_copy(update={"password_min_length": len(PASSWORD) + 1}))
        app.state.database = database
        async with make_client(app) as client:
            assert (await register(client)).status_code == 422
            assert (await register(client, password=PASSWORD + "!")).status_code == 201
