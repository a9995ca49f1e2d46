from uuid import UUID

import pytest

from glasswork.core.concurrency import Precondition
from glasswork.features.members.schemas import MemberUpdate
from glasswork.features.members.service import MemberService
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Callers
from tests.factories.tracker import make_workspace
from tests.features.workspaces.waiting import start

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("how", ["demote", "remove", "leave"])
async def test_two_owners_at_the_same_time_leave_one(committing_callers: Callers, how: str) -> None:
    database = committing_callers.database
    ada = await committing_callers.user()
    workspace_id = UUID((await make_workspace(ada))["id"])
    bob = await committing_callers.member(workspace_id, Role.OWNER)
    members = f"/workspaces/{workspace_id}/members"
    async with database.system_transaction() as session:
        service, as_seen = MemberService(session), Precondition()
        match how:
            case "demote":
                await service.update(ada.actor, workspace_id, bob.id, MemberUpdate(role=Role.MEMBER), as_seen)
                request = bob.patch(f"{members}/{ada.id}", {"role": "member"})
            case "remove":
                await service.remove(ada.actor, workspace_id, bob.id, as_seen)
                request = bob.delete(f"{members}/{ada.id}")
            case _:
                await service.remove(ada.actor, workspace_id, ada.id, as_seen)
                request = bob.delete(f"{members}/{bob.id}")
        answer = await start(database, request)
    assert (await answer).status_code == (404 if how == "remove" else 409)
    left = (await (bob if how == "leave" else ada).get(members)).json()["items"]
    assert [item["role"] for item in left].count("owner") == 1
