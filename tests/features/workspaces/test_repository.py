import pytest
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.core.errors import ConflictError
from glasswork.features.workspaces.models import Workspace
from glasswork.features.workspaces.repository import WorkspaceRepository

pytestmark = pytest.mark.anyio


async def test_another_clash_is_not_taken_for_the_slug(database: Database) -> None:
    with pytest.raises(ConflictError) as refusal:
        async with database.system_transaction() as session:
            await WorkspaceRepository(session).add(Workspace(name="New", slug="new", created_by=uuid7()))
    assert refusal.value.code == "CONFLICT"
