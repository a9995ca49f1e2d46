from asyncio import gather
from collections import Counter
from uuid import UUID

import pytest

from glasswork.core.concurrency import Precondition
from glasswork.features.workspaces.models import Role
from glasswork.features.workspaces.schemas import MemberUpdate, WorkspaceUpdate
from glasswork.features.workspaces.service import MemberService, WorkspaceService
from tests.factories.callers import Callers
from tests.factories.tracker import make_workspace

from .waiting import start

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


async def test_who_changes_a_workspace_stops_nobody_who_writes_in_it(committing_callers: Callers) -> None:
    database = committing_callers.database
    owner = await committing_callers.user()
    workspace_id = UUID((await make_workspace(owner))["id"])
    async with database.system_transaction() as session:
        name = WorkspaceUpdate(name="Another")
        await WorkspaceService(session).update(owner.actor, workspace_id, name, Precondition())
        new = {"name": "Operations", "key": "OPS"}
        answer = await start(database, owner.post(f"/workspaces/{workspace_id}/projects", new))
        assert answer.done()
    assert (await answer).status_code == 201


async def test_of_invitations_at_the_same_time_one_stands(committing_callers: Callers) -> None:
    owner = await committing_callers.user()
    path = f"/workspaces/{(await make_workspace(owner))['id']}/invitations"
    new = {"email": "new@example.com", "role": "member"}
    responses = await gather(*(owner.post(path, new) for _ in range(8)))
    assert {response.status_code for response in responses} == {201}
    assert len((await owner.get(path)).json()["items"]) == 1


async def test_an_invitation_is_used_once(committing_callers: Callers) -> None:
    owner, invited = await committing_callers.user(), await committing_callers.user()
    workspace = await make_workspace(owner)
    invitation = await owner.post(
        f"/workspaces/{workspace['id']}/invitations", {"email": invited.email, "role": "member"}
    )
    body = {"token": invitation.json()["token"]}
    responses = await gather(*(invited.post("/invitations/accept", body) for _ in range(8)))
    assert Counter(response.status_code for response in responses) == {200: 1, 404: 7}


async def test_a_slug_is_given_once(committing_callers: Callers) -> None:
    users = [await committing_callers.user() for _ in range(8)]
    new = {"name": "Operations", "slug": "operations"}
    responses = await gather(*(user.post("/workspaces", new) for user in users))
    assert Counter(response.status_code for response in responses) == {201: 1, 409: 7}
