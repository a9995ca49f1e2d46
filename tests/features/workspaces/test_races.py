from asyncio import gather
from collections import Counter
from uuid import UUID

import pytest

from glasswork.core.concurrency import Precondition
from glasswork.features.workspaces.schemas import WorkspaceUpdate
from glasswork.features.workspaces.service import WorkspaceService
from tests.factories.callers import Callers
from tests.factories.tracker import make_workspace

from .waiting import start

pytestmark = pytest.mark.anyio


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


async def test_a_slug_is_given_once(committing_callers: Callers) -> None:
    users = [await committing_callers.user() for _ in range(8)]
    new = {"name": "Operations", "slug": "operations"}
    responses = await gather(*(user.post("/workspaces", new) for user in users))
    assert Counter(response.status_code for response in responses) == {201: 1, 409: 7}
