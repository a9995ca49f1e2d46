"""How often tokens of invitations are guessed until that has to wait."""

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from tests.conftest import make_client
from tests.factories.callers import PASSWORD, Callers
from tests.factories.guesses import wait
from tests.factories.tracker import make_workspace

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("limited")]


@pytest.mark.parametrize("path", ["accept", "register"])
async def test_wrong_tokens_make_the_address_wait(
    app: FastAPI, callers: Callers, database: Database, path: str
) -> None:
    owner, invited = await callers.user(), await callers.user()
    workspace = await make_workspace(owner)
    email = invited.email if path == "accept" else "invited@example.org"
    body = {"email": email, "role": "member"}
    token = (await owner.post(f"/workspaces/{workspace['id']}/invitations", body)).json()["token"]
    account = {"username": "invited", "name": "Invited", "password": PASSWORD} if path == "register" else {}

    async def attempt(token: str) -> int:
        return (await invited.post(f"/invitations/{path}", {"token": token, **account})).status_code

    assert [await attempt(f"gwi_{number}") for number in range(53)] == [404] * 51 + [429] * 2
    assert await attempt(token) == 429
    async with make_client(app, "192.0.2.99") as other:
        answer = await other.post("/api/v1/invitations/register", json={"token": "gwi_", **account})
        assert answer.status_code != 429
    await wait(database, seconds=1)
    assert await attempt(token) == (201 if path == "register" else 200)


async def test_somebody_elses_token_is_a_wrong_one(callers: Callers) -> None:
    owner, thief = await callers.user(), await callers.user()
    workspace = await make_workspace(owner)
    body = {"email": "invited@example.org", "role": "member"}
    token = (await owner.post(f"/workspaces/{workspace['id']}/invitations", body)).json()["token"]
    statuses = [(await thief.post("/invitations/accept", {"token": token})).status_code for _ in range(52)]
    assert statuses == [403] * 51 + [429]
