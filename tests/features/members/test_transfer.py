from typing import Any

import pytest

from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers
from tests.features.accounts.sign_in import error_of

pytestmark = pytest.mark.anyio


class TestTransfer:
    def path(self, workspace: dict[str, Any]) -> str:
        return f"/workspaces/{workspace['id']}/transfer"

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.ADMIN])
    async def test_is_for_owners(self, callers: Callers, workspace: dict[str, Any], role: Role) -> None:
        caller, other = [await callers.member(workspace["id"], each) for each in (role, Role.MEMBER)]
        assert (await caller.post(self.path(workspace), {"user_id": str(other.id)})).status_code == 403

    async def test_is_to_a_member(self, owner: Caller, callers: Callers, workspace: dict[str, Any]) -> None:
        stranger = await callers.user()
        answer = await owner.post(self.path(workspace), {"user_id": str(stranger.id)})
        assert (answer.status_code, error_of(answer)["code"]) == (404, "MEMBER_NOT_FOUND")
        answer = await owner.post(self.path(workspace), {"user_id": str(owner.id)})
        assert answer.status_code == 422

    async def test_changes_places(self, owner: Caller, callers: Callers, workspace: dict[str, Any]) -> None:
        heir = await callers.member(workspace["id"], Role.VIEWER)
        assert (await owner.delete(f"/workspaces/{workspace['id']}/members/{owner.id}")).status_code == 409
        answer = await owner.post(self.path(workspace), {"user_id": str(heir.id)})
        assert (answer.status_code, answer.json()["role"]) == (200, "owner")
        mine = await heir.get(f"/workspaces/{workspace['id']}/members/{owner.id}")
        assert mine.json()["role"] == "admin"
        assert (await owner.post(self.path(workspace), {"user_id": str(heir.id)})).status_code == 403
        assert (await owner.delete(f"/workspaces/{workspace['id']}/members/{owner.id}")).status_code == 204
