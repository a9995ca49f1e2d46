from typing import Any

import pytest
from sqlalchemy import text

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers

from .test_invitations import ACCEPT, expire, invite

pytestmark = pytest.mark.anyio


class TestAccept:
    async def test_is_for_the_invited_alone(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        invited, other = await callers.user(), await callers.user()
        token = (await invite(owner, workspace, invited.email))["token"]
        response = await other.post(ACCEPT, {"token": token})
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "INVITED_SOMEBODY_ELSE"
        assert (await other.get(f"/workspaces/{workspace['id']}")).status_code == 404
        assert (await invited.post(ACCEPT, {"token": token})).status_code == 200

    @pytest.mark.parametrize("token", ["gwi_unknown", "ä", "\0", "x" * 100])
    async def test_refuses_an_unknown_token(self, owner: Caller, token: str) -> None:
        response = await owner.post(ACCEPT, {"token": token})
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "INVITATION_NOT_FOUND"

    @pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": "x" * 101}, {"token": 1}])
    async def test_refuses_bad_input(self, owner: Caller, body: dict[str, Any]) -> None:
        assert (await owner.post(ACCEPT, body)).status_code == 422

    async def test_refuses_an_expired_one(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        invited = await callers.user()
        invitation = await invite(owner, workspace, invited.email)
        await expire(callers, invitation)
        assert (await invited.post(ACCEPT, {"token": invitation["token"]})).status_code == 404

    async def test_refuses_a_member(self, owner: Caller, callers: Callers, workspace: dict[str, Any]) -> None:
        invited = await callers.user()
        token = (await invite(owner, workspace, invited.email, "owner"))["token"]
        async with callers.database.system_transaction() as session:
            await session.execute(
                text("INSERT INTO memberships (workspace_id, user_id, role, version) VALUES (:w, :u, :r, 1)"),
                {"w": workspace["id"], "u": invited.id, "r": "viewer"},
            )
        response = await invited.post(ACCEPT, {"token": token})
        assert response.json()["error"]["code"] == "ALREADY_MEMBER"
        member = await owner.get(f"/workspaces/{workspace['id']}/members/{invited.id}")
        assert member.json()["role"] == "viewer"

    async def test_refuses_when_the_workspace_is_gone(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        invited = await callers.user()
        token = (await invite(owner, workspace, invited.email))["token"]
        await owner.delete(f"/workspaces/{workspace['id']}")
        response = await invited.post(ACCEPT, {"token": token})
        assert response.json()["error"]["code"] == "INVITATION_NOT_FOUND"

    @pytest.mark.parametrize("role", Role)
    async def test_makes_a_member_once(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], role: Role
    ) -> None:
        invited = await callers.user()
        token = (await invite(owner, workspace, invited.email.upper(), role))["token"]
        response = await invited.post(ACCEPT, {"token": token})
        assert response.json() == workspace
        assert response.headers["ETag"] == '"1"'
        member = await owner.get(f"/workspaces/{workspace['id']}/members/{invited.id}")
        assert member.json()["role"] == role
        assert (await invited.post(ACCEPT, {"token": token})).status_code == 404

    async def test_lets_a_removed_member_join_again(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        member = await callers.member(workspace["id"], Role.ADMIN)
        path = f"/workspaces/{workspace['id']}/members/{member.id}"
        before = (await owner.get(path)).json()
        await owner.delete(path)
        token = (await invite(owner, workspace, member.email, "viewer"))["token"]
        assert (await member.post(ACCEPT, {"token": token})).status_code == 200
        after = (await owner.get(path)).json()
        assert after["role"] == "viewer"
        assert after["version"] > before["version"]
