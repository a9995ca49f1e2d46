import pytest
from httpx2 import AsyncClient

from glasswork.core.actor import Actor
from glasswork.core.tokens import issue_access_token, issue_refresh_token
from tests.core.test_tokens import ACTOR, HEADER, KEYS, forge
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio


class TestBearer:
    @pytest.mark.parametrize(
        "token",
        [
            "",
            "..",
            forge(HEADER | {"alg": "none"}),
            forge("[" * 900 + "]" * 900),
            forge(key=b""),
            forge(claims={}),
            "A" * 65_536,
            issue_refresh_token(KEYS, ACTOR.session_id, 0),
        ],
        ids=lambda token: token[:16],
    )
    async def test_a_forged_token_is_refused_in_the_envelope(self, client: AsyncClient, token: str) -> None:
        response = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["details"]) == (401, "INVALID_TOKEN", {})
        assert response.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("scheme", ["", "Basic ", "Token ", "Bearer:"])
    async def test_another_scheme_is_refused(self, callers: Callers, scheme: str) -> None:
        token = (await callers.user()).token
        response = await callers.client.get("/api/v1/users/me", headers={"Authorization": scheme + token})
        assert response.status_code == 401

    async def test_a_good_token_of_nobody_is_refused(self, client: AsyncClient) -> None:
        response = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {forge()}"})
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "SESSION_ENDED"

    async def test_the_session_of_another_user_does_not_do(self, callers: Callers) -> None:
        one, other = await callers.user(), await callers.user()
        token = issue_access_token(KEYS, Actor(one.id, other.actor.session_id))
        response = await callers.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 401

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    async def test_a_token_that_was_issued_is_taken(self, callers: Callers, scheme: str) -> None:
        token = (await callers.user()).token
        headers = {"Authorization": f"{scheme} {token}"}
        assert (await callers.client.get("/api/v1/users/me", headers=headers)).status_code == 200
