from asyncio import gather
from collections import Counter

import pytest

from tests.factories.callers import Callers
from tests.factories.tracker import make_workspace

pytestmark = pytest.mark.anyio


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
