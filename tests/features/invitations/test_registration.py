"""Accounts for those who are invited, and letters that invite them."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select, update

from glasswork.core.db import Database
from glasswork.core.events import WorkspaceEvent
from glasswork.core.jobs import EventRef
from glasswork.core.mail import KeptMail
from glasswork.features.accounts.models import User
from glasswork.features.invitations.models import Invitation
from glasswork.worker import SUBSCRIBERS
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.work import make_work
from tests.features.accounts.sign_in import error_of, log_in, register

from .test_invitations import expire, invite, path_of

pytestmark = pytest.mark.anyio

NEW = {"username": "newcomer", "name": "New Comer", "password": PASSWORD}


async def come(client: AsyncClient, token: str, **changes: Any) -> Response:
    return await client.post("/api/v1/invitations/register", json=NEW | {"token": token} | changes)


@pytest.fixture
async def token(owner: Caller, workspace: dict[str, Any]) -> str:
    made: str = (await invite(owner, workspace, "New@example.com", "viewer"))["token"]
    return made


class TestRegister:
    @pytest.mark.parametrize("token", ["gwi_" + "0" * 64, "nonsense", "\0"])
    async def test_needs_a_genuine_token(self, client: AsyncClient, token: str) -> None:
        answer = await come(client, token)
        assert (answer.status_code, error_of(answer)["code"]) == (404, "INVITATION_NOT_FOUND")

    @pytest.mark.parametrize("how", ["expired", "withdrawn", "used", "workspace deleted"])
    async def test_needs_one_that_waits(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], how: str
    ) -> None:
        invitation = await invite(owner, workspace, "new@example.com")
        match how:
            case "expired":
                await expire(callers, invitation)
            case "withdrawn":
                await owner.delete(path_of(workspace, invitation))
            case "used":
                assert (await come(owner.client, invitation["token"])).status_code == 201
            case _:
                await owner.delete(f"/workspaces/{workspace['id']}")
        answer = await come(owner.client, invitation["token"], username="another")
        assert (answer.status_code, error_of(answer)["code"]) == (404, "INVITATION_NOT_FOUND")

    async def test_opens_an_account_that_is_a_member(
        self, owner: Caller, workspace: dict[str, Any], token: str
    ) -> None:
        answer = await come(owner.client, token)
        assert answer.status_code == 201
        user = answer.json()
        assert (user["email"], user["email_verified_at"], user["role"]) == ("New@example.com", None, "user")
        member = (await owner.get(f"/workspaces/{workspace['id']}/members/{user['id']}")).json()
        assert (member["role"], member["username"]) == ("viewer", "newcomer")
        changes = (await owner.get(f"/workspaces/{workspace['id']}/changes", limit=100)).json()["items"]
        assert ("member.created", user["id"]) in [(each["type"], each["subject"]["id"]) for each in changes]
        assert (await log_in(owner.client, "new@example.com")).status_code == 200
        assert (await owner.get(path_of(workspace))).json()["items"] == []

    async def test_is_not_for_who_has_an_account(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        bob = await callers.user()
        invitation = await invite(owner, workspace, bob.email)
        assert error_of(await come(owner.client, invitation["token"]))["code"] == "EMAIL_TAKEN"
        assert (await bob.post("/invitations/accept", {"token": invitation["token"]})).status_code == 200

    async def test_a_refusal_leaves_the_invitation(self, owner: Caller, token: str) -> None:
        assert (await come(owner.client, token, username=owner.username)).status_code == 409
        assert (await come(owner.client, token, password="password2026")).status_code == 422
        assert (await come(owner.client, token)).status_code == 201

    @pytest.mark.parametrize(
        ("registration", "everybody", "invited"),
        [("open", 201, 201), ("invited", 403, 201), ("closed", 403, 403)],
    )
    async def test_the_setting_says_who(
        self,
        owner: Caller,
        token: str,
        change_settings: Callable[..., None],
        registration: str,
        everybody: int,
        invited: int,
    ) -> None:
        change_settings(registration=registration)
        assert (await register(owner.client)).status_code == everybody
        assert (await come(owner.client, token)).status_code == invited

    async def test_it_asks_for_the_age_too(
        self, owner: Caller, token: str, change_settings: Callable[..., None]
    ) -> None:
        change_settings(registration_min_age=16)
        assert (await come(owner.client, token)).status_code == 422
        assert (await come(owner.client, token, date_of_birth="1990-05-01")).status_code == 201


class TestLetter:
    async def letter(self, app: FastAPI, database: Database) -> KeptMail | None:
        """Carry out what follows the newest invitation, as the worker does."""
        newest = (
            select(WorkspaceEvent)
            .where(WorkspaceEvent.type == "invitation.created")
            .order_by(WorkspaceEvent.id.desc())
            .limit(1)
        )
        async with database.reading() as session:
            event = (await session.scalars(newest)).one()
        reference = EventRef(id=event.id, workspace_id=event.workspace_id, subject_id=event.subject_id)
        for job in SUBSCRIBERS["invitation.created"]:
            await job.run(make_work(app, database), reference)
        async with database.reading() as session:
            return await session.scalar(select(KeptMail))

    async def test_it_invites_with_the_same_token(
        self, app: FastAPI, database: Database, workspace: dict[str, Any], token: str
    ) -> None:
        letter = await self.letter(app, database)
        assert letter is not None
        assert letter.recipient == "New@example.com"
        assert workspace["name"] in letter.body
        assert token in letter.body.split("\n\n")
        assert "https://example.com/api/v1/invitations/register" in letter.body

    @pytest.mark.usefixtures("token")
    async def test_none_after_it_is_withdrawn(
        self, app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]
    ) -> None:
        (invitation,) = (await owner.get(path_of(workspace))).json()["items"]
        await owner.delete(path_of(workspace, invitation))
        assert await self.letter(app, database) is None


@pytest.mark.alone
async def test_the_token_says_nothing_after_another_hash(
    database: Database, owner: Caller, token: str
) -> None:
    """The token is found by what is kept of it, not by what it could be made from."""
    async with database.system_transaction() as session:
        await session.execute(update(Invitation).values(token_hash="another"))
    assert (await come(owner.client, token)).status_code == 404
    async with database.reading() as session:
        assert (await session.scalars(select(User).where(User.username == "newcomer"))).all() == []
