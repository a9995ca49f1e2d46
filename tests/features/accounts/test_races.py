from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from httpx2 import Response

from glasswork.features.accounts.models import User
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_workspace
from tests.features.workspaces.waiting import start

pytestmark = pytest.mark.anyio

Request = Callable[[Caller, str], Coroutine[Any, Any, Response]]


async def rename(caller: Caller, token: str) -> Response:
    del token
    return await caller.patch("/users/me", {"name": "Ada"})


async def accept(caller: Caller, token: str) -> Response:
    return await caller.post("/invitations/accept", {"token": token})


@pytest.mark.parametrize("request_", [rename, accept])
@pytest.mark.parametrize(("is_active", "status_code"), [(False, 401), (True, 200)])
async def test_who_waits_for_their_account_is_asked_once_more_who_they_are(
    committing_callers: Callers, request_: Request, is_active: bool, status_code: int
) -> None:
    owner, caller = await committing_callers.user(), await committing_callers.user()
    path = f"/workspaces/{(await make_workspace(owner))['id']}/invitations"
    invitation = await owner.post(path, {"email": caller.email, "role": "member"})
    async with committing_callers.database.system_transaction() as session:
        user = await session.get_one(User, caller.id, with_for_update=True)
        user.change({"is_active": is_active})
        await session.flush()
        answer = await start(committing_callers.database, request_(caller, invitation.json()["token"]))
    assert (await answer).status_code == status_code
