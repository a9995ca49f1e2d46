from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_workspace
from tests.features.workspaces.roles import by_role, with_role

pytestmark = pytest.mark.anyio

ACCEPT = "/invitations/accept"


def path_of(workspace: dict[str, Any], invitation: dict[str, Any] | None = None) -> str:
    invitations = f"/workspaces/{workspace['id']}/invitations"
    return f"{invitations}/{invitation['id']}" if invitation else invitations


async def invite(inviter: Caller, workspace: dict[str, Any], email: str, role: str = "member") -> Any:
    response = await inviter.post(path_of(workspace), {"email": email, "role": role})
    assert response.status_code == 201, response.text
    return response.json()


async def expire(callers: Callers, invitation: dict[str, Any]) -> None:
    async with callers.database.system_transaction() as session:
        await session.execute(
            text("UPDATE invitations SET expires_at = now() WHERE id = :id"), {"id": invitation["id"]}
        )


class TestCreate:
    @pytest.mark.parametrize(
        ("role", "statuses"),
        [
            (None, [404, 404, 404, 404]),
            (Role.VIEWER, [403, 403, 403, 403]),
            (Role.MEMBER, [403, 403, 403, 403]),
            (Role.ADMIN, [201, 201, 201, 403]),
            (Role.OWNER, [201, 201, 201, 201]),
        ],
    )
    async def test_invites_up_to_ones_own_role(
        self, callers: Callers, workspace: dict[str, Any], role: Role | None, statuses: list[int]
    ) -> None:
        caller = await with_role(callers, workspace, role)
        bodies = [{"email": "new@example.com", "role": invited} for invited in Role]
        responses = [await caller.post(path_of(workspace), body) for body in bodies]
        assert [response.status_code for response in responses] == statuses

    @pytest.mark.parametrize("write", [str.lower, str.upper])
    async def test_refuses_who_is_a_member_already(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], write: Any
    ) -> None:
        member = await callers.member(workspace["id"])
        response = await owner.post(path_of(workspace), {"email": write(member.email), "role": "admin"})
        assert response.status_code == 409
        assert response.json()["error"]["code"] == "ALREADY_MEMBER"

    @pytest.mark.parametrize(
        "body", [{"email": "nobody", "role": "member"}, {"email": "a@example.com"}, {"role": "member"}]
    )
    async def test_refuses_bad_input(
        self, owner: Caller, workspace: dict[str, Any], body: dict[str, Any]
    ) -> None:
        assert (await owner.post(path_of(workspace), body)).status_code == 422

    @pytest.mark.alone
    async def test_shows_the_token_this_once(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        response = await owner.post(path_of(workspace), {"email": "new@example.com", "role": "viewer"})
        made = response.json()
        token = made.pop("token")
        assert response.headers["Location"] == f"/api/v1{path_of(workspace, made)}"
        assert response.headers["ETag"] == '"1"'
        shown = await owner.get(path_of(workspace, made))
        assert shown.json() == made
        assert (made["email"], made["role"], made["invited_by"]) == (
            "new@example.com",
            "viewer",
            str(owner.id),
        )
        asked_for = datetime.fromisoformat(made["created_at"])
        assert datetime.fromisoformat(made["expires_at"]) - asked_for == timedelta(days=7)
        assert token not in (await owner.get(path_of(workspace))).text
        async with callers.database.reading() as session:
            stored = await session.execute(text("SELECT i::text FROM invitations i"))
            assert token not in stored.scalar_one()

    async def test_replaces_the_invitation_before(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        invited = await callers.user()
        first = await invite(owner, workspace, invited.email, "admin")
        second = await invite(owner, workspace, invited.email.upper(), "viewer")
        items = (await owner.get(path_of(workspace))).json()["items"]
        assert [item["id"] for item in items] == [second["id"]]
        assert (await invited.post(ACCEPT, {"token": first["token"]})).status_code == 404
        assert (await invited.post(ACCEPT, {"token": second["token"]})).status_code == 200

    async def test_leaves_those_of_others_alone(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        invited, other = await callers.user(), await make_workspace(owner)
        elsewhere = await invite(owner, other, invited.email)
        somebody_else = await invite(owner, workspace, "else@example.com")
        await invite(owner, workspace, invited.email)
        assert (await owner.get(path_of(other, elsewhere))).status_code == 200
        assert (await owner.get(path_of(workspace, somebody_else))).status_code == 200


class TestRead:
    @by_role(viewer=403, member=403, admin=200, owner=200)
    async def test_is_for_admins(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        invitation = await invite(owner, workspace, "new@example.com")
        caller = await with_role(callers, workspace, role)
        assert (await caller.get(path_of(workspace))).status_code == status
        assert (await caller.get(path_of(workspace, invitation))).status_code == status

    async def test_foreign_invitation_is_not_found(self, owner: Caller, workspace: dict[str, Any]) -> None:
        invitation = await invite(owner, await make_workspace(owner), "new@example.com")
        response = await owner.get(path_of(workspace, invitation))
        assert response.json()["error"]["code"] == "INVITATION_NOT_FOUND"

    async def test_lists_those_that_wait(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        invited = await callers.user()
        expired, withdrawn, waiting = [
            await invite(owner, workspace, f"{name}@example.com") for name in "abc"
        ]
        accepted = await invite(owner, workspace, invited.email)
        await expire(callers, expired)
        await owner.delete(path_of(workspace, withdrawn))
        await invited.post(ACCEPT, {"token": accepted["token"]})
        await invite(owner, await make_workspace(owner), "a@example.com")
        page = (await owner.get(path_of(workspace), total=True)).json()
        assert [item["id"] for item in page["items"]] == [waiting["id"]]
        assert page["total"] == 1


class TestWithdraw:
    @by_role(viewer=403, member=403, admin=204, owner=204)
    async def test_is_for_admins(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any], role: Role | None, status: int
    ) -> None:
        invited = await callers.user()
        invitation = await invite(owner, workspace, invited.email)
        caller = await with_role(callers, workspace, role)
        assert (await caller.delete(path_of(workspace, invitation))).status_code == status
        accepted = await invited.post(ACCEPT, {"token": invitation["token"]})
        assert accepted.status_code == (404 if status == 204 else 200)

    async def test_is_done_once(self, owner: Caller, workspace: dict[str, Any]) -> None:
        invitation = await invite(owner, workspace, "new@example.com")
        statuses = [(await owner.delete(path_of(workspace, invitation))).status_code for _ in range(2)]
        assert statuses == [204, 404]

    async def test_does_not_reach_into_another_workspace(
        self, owner: Caller, callers: Callers, workspace: dict[str, Any]
    ) -> None:
        stranger = await callers.user()
        own = await make_workspace(stranger)
        invitation = await invite(owner, workspace, "new@example.com")
        assert (await stranger.delete(path_of(own, invitation))).status_code == 404
        assert (await owner.get(path_of(workspace, invitation))).status_code == 200


async def test_unknown_workspace_is_not_found(owner: Caller) -> None:
    response = await owner.get(f"/workspaces/{uuid7()}/invitations")
    assert response.json()["error"]["code"] == "WORKSPACE_NOT_FOUND"
