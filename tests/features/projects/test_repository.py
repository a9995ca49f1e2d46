import pytest
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.core.errors import ConflictError
from glasswork.features.projects.models import Label, Project
from glasswork.features.projects.repository import LabelRepository, ProjectRepository

pytestmark = pytest.mark.anyio


async def test_another_clash_is_not_taken_for_the_key(database: Database) -> None:
    project = Project(workspace_id=uuid7(), key="NEW", name="New", description="", created_by=uuid7())
    with pytest.raises(ConflictError) as refusal:
        async with database.system_transaction() as session:
            await ProjectRepository(session).add(project)
    assert refusal.value.code == "CONFLICT"


async def test_another_clash_is_not_taken_for_the_label_name(database: Database) -> None:
    label = Label(workspace_id=uuid7(), project_id=uuid7(), name="New", color="#000000", description="")
    with pytest.raises(ConflictError) as refusal:
        async with database.system_transaction() as session:
            await LabelRepository(session).add(label)
    assert refusal.value.code == "CONFLICT"
