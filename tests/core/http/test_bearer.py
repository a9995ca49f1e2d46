from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import AsyncClient

from glasswork.core.actor import Actor
from glasswork.core.tokens import issue_access_token
from tests.core.test_tokens import CLAIMS, HEADERS, KEYS, TEXTS, Claims, forge, good_claims
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio


def _with_header(header: Any) -> Callable[[Claims], str]:
    return lambda claims: forge(header, claims)


def _with_claims(change: Callable[[Claims], object]) -> Callable[[Claims], str]:
    def make(claims: Claims) -> str:
        change(claims)
        return forge(claims=claims)

    return make


def _with_text(change: Callable[[str], str]) -> Callable[[Claims], str]:
    return lambda claims: change(forge(claims=claims))


SPACE = {"trailing newline", "leading space"}
"""A header's value has none around it."""
FORGED = (
    {f"header: {name}": _with_header(header) for name, header in HEADERS.items()}
    | {f"claims: {name}": _with_claims(change) for name, change in CLAIMS.items()}
    | {f"text: {name}": _with_text(change) for name, change in TEXTS.items() if name not in SPACE}
)
"""All that the unit tests refuse, for somebody who has a session."""


class TestBearer:
    @pytest.mark.parametrize("make", FORGED.values(), ids=FORGED)
    async def test_a_forged_token_is_refused_in_the_envelope(
        self, callers: Callers, make: Callable[[Claims], str]
    ) -> None:
        ada = await callers.user()
        claims = good_claims() | {"sub": str(ada.id), "sid": str(ada.actor.session_id)}
        headers = {b"Authorization": b"Bearer " + make(claims).encode("utf-8", "surrogatepass")}
        response = await ada.client.get("/api/v1/users/me", headers=headers)
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

    async def test_what_the_forger_makes_is_taken_when_all_is_right(self, callers: Callers) -> None:
        ada = await callers.user()
        claims = good_claims() | {"sub": str(ada.id), "sid": str(ada.actor.session_id)}
        headers = {"Authorization": f"Bearer {forge(claims=claims)}"}
        assert (await ada.client.get("/api/v1/users/me", headers=headers)).status_code == 200

    async def test_one_of_a_session_that_has_ended_is_refused_at_once(self, callers: Callers) -> None:
        ada = await callers.user()
        headers = {"Authorization": f"Bearer {ada.token}"}
        for _ in range(2):  # from now on its signature is not looked at again
            assert (await callers.client.get("/api/v1/users/me", headers=headers)).status_code == 200
        assert (await callers.client.post("/api/v1/auth/logout", headers=headers)).status_code == 204
        response = await callers.client.get("/api/v1/users/me", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "SESSION_ENDED")

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
