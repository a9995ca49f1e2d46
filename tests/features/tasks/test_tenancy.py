"""What the schema itself refuses, should the code above it ever be wrong."""

from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_label, make_project, make_task, make_workspace

pytestmark = pytest.mark.anyio

FOREIGN_KEY_VIOLATION = "23503"

INSERT_TASK = text(
    "INSERT INTO tasks (workspace_id, id, project_id, number, title, description, status_id, priority,"
    " assignee_id, created_by, position, version)"
    " VALUES (:workspace, :id, :project, 7, 'New', '', :status, 'none', :assignee, :creator, 'a7', 1)"
)
INSERT_LABEL = text(
    "INSERT INTO task_labels (workspace_id, task_id, label_id) VALUES (:workspace, :task, :label)"
)


async def make_tenant(owner: Caller) -> dict[str, Any]:
    workspace = await make_workspace(owner)
    project = await make_project(owner, workspace)
    statuses = (await owner.get(f"/projects/{project['id']}/statuses")).json()["items"]
    return {
        "workspace": workspace["id"],
        "project": project["id"],
        "status": statuses[0]["id"],
        "assignee": owner.id,
        "creator": owner.id,
        "task": (await make_task(owner, project))["id"],
        "label": (await make_label(owner, project))["id"],
    }


async def refusal_of(callers: Callers, statement: TextClause, values: dict[str, Any]) -> str | None:
    """Return the SQLSTATE of what PostgreSQL has against the statement."""
    async with callers.database.system_transaction() as session:
        try:
            async with session.begin_nested():
                await session.execute(statement, values)
        except IntegrityError as error:
            return str(getattr(error.orig, "sqlstate", None))
    return None


@pytest.mark.parametrize(
    "foreign",
    [
        ["workspace"],
        ["project"],
        ["status"],
        ["project", "status"],
        ["workspace", "project"],
        ["workspace", "project", "status"],
        ["assignee"],
        ["creator"],
    ],
    ids="+".join,
)
async def test_a_task_cannot_refer_to_another_tenant(callers: Callers, foreign: list[str]) -> None:
    mine, theirs = await make_tenant(await callers.user()), await make_tenant(await callers.user())
    values = mine | {name: theirs[name] for name in foreign}
    assert await refusal_of(callers, INSERT_TASK, values | {"id": uuid7()}) == FOREIGN_KEY_VIOLATION
    assert await refusal_of(callers, INSERT_TASK, mine | {"id": uuid7()}) is None


async def test_a_task_cannot_have_the_status_of_another_project(callers: Callers) -> None:
    owner = await callers.user()
    tenant = await make_tenant(owner)
    other = await make_project(owner, {"id": tenant["workspace"]})
    values = tenant | {"id": uuid7(), "project": other["id"]}
    assert await refusal_of(callers, INSERT_TASK, values) == FOREIGN_KEY_VIOLATION


@pytest.mark.parametrize("foreign", [["label"], ["task"], ["workspace"], ["task", "label"]], ids="+".join)
async def test_a_task_cannot_have_a_label_of_another_tenant(callers: Callers, foreign: list[str]) -> None:
    mine, theirs = await make_tenant(await callers.user()), await make_tenant(await callers.user())
    values = mine | {name: theirs[name] for name in foreign}
    assert await refusal_of(callers, INSERT_LABEL, values) == FOREIGN_KEY_VIOLATION
    assert await refusal_of(callers, INSERT_LABEL, mine) is None
