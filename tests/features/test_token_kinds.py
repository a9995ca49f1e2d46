"""Every kind of token at every door: each opens its own and no other."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from httpx2 import Response

from glasswork.core.actor import Scope
from glasswork.core.db import Database
from glasswork.core.events import Event
from glasswork.features.accounts.events import UserCreated
from glasswork.features.accounts.policy import PasswordRules
from glasswork.features.credentials.events import AddressChangeRequested, PasswordForgot
from glasswork.features.setup.service import SetupService
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.tracker import make_api_token, make_workspace
from tests.features.accounts.sign_in import log_in, register
from tests.features.credentials.letters import Postman, token_in
from tests.features.second_factors.authenticator import RECOVERY_CODE, challenge_of, give_recovery_code

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Giver:
    """Gives Ada one token of each kind, as she gets it in life."""

    app: FastAPI
    database: Database
    callers: Callers
    ada: Caller

    async def access(self) -> str:
        return self.ada.token

    async def refresh(self) -> str:
        token: str = (await log_in(self.ada.client, self.ada.email)).json()["refresh_token"]
        return token

    async def api_token(self) -> str:
        token: str = (await make_api_token(self.ada, *Scope))["token"]
        return token

    async def verify_email(self) -> str:
        await register(self.ada.client, email="new@example.com", username="new")
        return await self._mailed(UserCreated)

    async def reset_password(self) -> str:
        await self.ada.post("/auth/forgot-password", {"email": self.ada.email})
        return await self._mailed(PasswordForgot)

    async def change_email(self) -> str:
        await self.ada.post("/auth/change-email", {"email": "new@example.com", "password": PASSWORD})
        return await self._mailed(AddressChangeRequested)

    async def invitation(self) -> str:
        host = await self.callers.user()
        workspace = await make_workspace(host)
        body = {"email": self.ada.email, "role": "member"}
        token: str = (await host.post(f"/workspaces/{workspace['id']}/invitations", body)).json()["token"]
        return token

    async def challenge(self) -> str:
        await give_recovery_code(self.database, self.ada.id)
        return await challenge_of(self.ada)

    async def setup(self) -> str:
        async with self.database.system_transaction() as session:
            token = await SetupService(session, PasswordRules(12)).issue()
        assert token is not None
        return token

    async def _mailed(self, event: type[Event]) -> str:
        return token_in(await Postman(self.app, self.database).deliver(event))


def bearer(path: str) -> Callable[[Caller, str], Awaitable[Response]]:
    async def knock(ada: Caller, token: str) -> Response:
        return await ada.client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})

    return knock


def body(path: str, field: str = "token", **others: str) -> Callable[[Caller, str], Awaitable[Response]]:
    async def knock(ada: Caller, token: str) -> Response:
        return await ada.post(path, {field: token, **others})

    return knock


KINDS: dict[str, Callable[[Giver], Awaitable[str]]] = {
    "access": Giver.access,
    "refresh": Giver.refresh,
    "api_token": Giver.api_token,
    "verify_email": Giver.verify_email,
    "reset_password": Giver.reset_password,
    "change_email": Giver.change_email,
    "invitation": Giver.invitation,
    "challenge": Giver.challenge,
    "setup": Giver.setup,
}
DOORS = {
    "GET /users/me": bearer("/users/me"),
    "GET /auth/sessions": bearer("/auth/sessions"),
    "refresh": body("/auth/refresh", "refresh_token"),
    "verify-email": body("/auth/verify-email"),
    "reset-password": body("/auth/reset-password", new_password=f"{PASSWORD} too"),
    "confirm-email": body("/auth/confirm-email"),
    "accept": body("/invitations/accept"),
    "second-factor": body("/auth/second-factor", "challenge", code=RECOVERY_CODE),
    "first-admin": body(
        "/auth/first-admin", email="boss@example.com", username="boss", name="Boss", password=PASSWORD
    ),
}
OPENS = {
    ("access", "GET /users/me"),
    ("access", "GET /auth/sessions"),
    ("api_token", "GET /users/me"),
    ("refresh", "refresh"),
    ("verify_email", "verify-email"),
    ("reset_password", "reset-password"),
    ("change_email", "confirm-email"),
    ("invitation", "accept"),
    ("challenge", "second-factor"),
    ("setup", "first-admin"),
}
REFUSED = {400, 401, 403, 404, 422}


@pytest.fixture
async def giver(app: FastAPI, database: Database, callers: Callers) -> Giver:
    return Giver(app, database, callers, await callers.user())


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_opens_its_own_door_only(giver: Giver, kind: str, door: str) -> None:
    token = await KINDS[kind](giver)
    answer = await DOORS[door](giver.ada, token)
    if (kind, door) in OPENS:
        assert answer.is_success, answer.text
    else:
        assert answer.status_code in REFUSED, answer.text


def test_every_kind_and_every_door_has_its_good_twin() -> None:
    assert {kind for kind, _ in OPENS} == set(KINDS)
    assert {door for _, door in OPENS} == set(DOORS)
