from uuid import UUID

import pytest
from sqlalchemy import func

from glasswork.features.projects.models import Project
from tests.factories.callers import Callers
from tests.factories.tracker import make_project, make_workspace
from tests.features.workspaces.waiting import start

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("is_deleted", "status_code"), [(True, 404), (False, 200)])
async def test_a_project_is_not_changed_that_was_deleted_meanwhile(
    committing_callers: Callers, is_deleted: bool, status_code: int
) -> None:
    owner, database = await committing_callers.user(), committing_callers.database
    project = await make_project(owner, await make_workspace(owner))
    key = UUID(project["workspace_id"]), UUID(project["id"])
    async with database.system_transaction() as session:
        held = await session.get_one(Project, key, with_for_update=True)
        if is_deleted:
            held.change({"deleted_at": func.now()})
            await session.flush()
        answer = await start(database, owner.patch(f"/projects/{project['id']}", {"name": "Late"}))
    assert (await answer).status_code == status_code
