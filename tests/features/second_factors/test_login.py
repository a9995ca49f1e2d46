from typing import Any

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select

from glasswork.features.accounts.models import SystemRole, UserSession
from tests.factories.callers import PASSWORD, Callers
from tests.features.accounts.sign_in import error_of, get_me, log_in, log_out, register

pytestmark = pytest.mark.anyio


class TestLogIn:
    async def test_refusals_do_not_tell_what_was_wrong(self, client: AsyncClient, callers: Callers) -> None:
        user, admin = await callers.user(), await callers.user(SystemRole.ADMIN)
        wrong = await log_in(client, user.email, "tremendous otter 78")
        unknown = await log_in(client, "nobody@example.com")
        await admin.patch(f"/users/{user.id}", {"is_active": False})
        inactive = await log_in(client, user.email)
        assert {wrong.status_code, unknown.status_code, inactive.status_code} == {401}
        assert error_of(wrong) == error_of(unknown) == error_of(inactive)
        assert error_of(wrong)["code"] == "INVALID_CREDENTIALS"
        assert wrong.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        "password", ["x" * 129, "x" * 5000, PASSWORD + " ", PASSWORD.upper(), "\0"], ids=len
    )
    async def test_refuses_any_other_password(self, callers: Callers, password: str) -> None:
        user = await callers.user()
        response = await log_in(callers.client, user.username, password)
        assert response.status_code == 401

    async def test_refuses_a_password_that_is_no_text(self, callers: Callers) -> None:
        user = await callers.user()
        fields = {"username": user.username, "password": "\\ud800"}
        parts = (
            f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        response = await callers.client.post(
            "/api/v1/auth/token",
            content="".join(parts) + "--B--\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=B; charset=unicode_escape"},
        )
        assert response.status_code == 401

    @pytest.mark.parametrize(
        ("form", "field"),
        [
            ({"password": PASSWORD}, "username"),
            ({"username": "ada"}, "password"),
            ({"username": "", "password": PASSWORD}, "username"),
            ({"username": "ada", "password": PASSWORD, "grant_type": "magic"}, "grant_type"),
        ],
    )
    async def test_refuses_an_incomplete_form(
        self, client: AsyncClient, form: dict[str, str], field: str
    ) -> None:
        response = await client.post("/api/v1/auth/token", data=form)
        assert response.status_code == 422
        assert response.json()["error"]["details"]["errors"][0]["loc"] == ["body", field]
        assert PASSWORD not in response.text

    async def test_refuses_json(self, client: AsyncClient) -> None:
        response = await client.post("/api/v1/auth/token", json={"username": "ada", "password": PASSWORD})
        assert response.status_code == 422
        assert PASSWORD not in response.text

    async def test_refuses_a_login_that_no_database_can_hold(self, client: AsyncClient) -> None:
        response = await log_in(client, "a\0da")
        assert response.status_code == 422

    @pytest.mark.parametrize("login", ["Ada@example.com", "ADA@Example.COM", "Ada_L", "aDA_l"])
    async def test_takes_email_and_username_in_any_case(self, client: AsyncClient, login: str) -> None:
        await register(client)
        tokens = (await log_in(client, login)).json()
        assert (await get_me(client, tokens)).json()["username"] == "Ada_L"

    async def test_takes_an_email_beyond_ascii(self, client: AsyncClient) -> None:
        await register(client, email="Ärger@example.com")
        assert (await log_in(client, "Ärger@example.com")).status_code == 200

    async def test_answers_both_tokens_and_forbids_to_keep_them(self, callers: Callers) -> None:
        user = await callers.user()
        response = await log_in(callers.client, user.email)
        tokens: dict[str, Any] = response.json()
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert tokens.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
        assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)

    async def test_each_login_is_a_session_of_its_own(self, callers: Callers) -> None:
        client, user = callers.client, await callers.user()
        phone, laptop = [(await log_in(client, user.email)).json() for _ in range(2)]
        await log_out(client, phone)
        assert (await get_me(client, phone)).status_code == 401
        assert (await get_me(client, laptop)).status_code == 200

    async def test_notes_the_device(self, callers: Callers) -> None:
        user = await callers.user()
        form = {"username": user.email, "password": PASSWORD}
        await callers.client.post("/api/v1/auth/token", data=form, headers={"User-Agent": "curl/8"})
        devices = select(UserSession.user_agent).where(UserSession.user_id == user.id)
        async with callers.database.reading() as session:
            assert set((await session.execute(devices)).scalars()) == {None, "curl/8"}
