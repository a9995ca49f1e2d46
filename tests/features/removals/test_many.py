"""Labels and statuses of many tasks: as many as can be changed at once, and no more."""

from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.removals.repository import MAX_TASKS
from tests.factories.callers import Caller
from tests.factories.tracker import make_label
from tests.features.workflow.test_statuses import statuses_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

COPIES = text("""
    INSERT INTO tasks (workspace_id, id, project_id, number, title, description, status_id, priority,
                       position, created_by, version)
    SELECT workspace_id, gen_random_uuid(), project_id, number + n, title, description, status_id, priority,
           position || lpad(n::text, 6, '0') || '1', created_by, 1
    FROM tasks, generate_series(1, :copies) AS n WHERE id = :task_id
""")
LABELLED = text("""
    INSERT INTO task_labels (workspace_id, task_id, label_id)
    SELECT workspace_id, id, :label_id FROM tasks WHERE project_id = :project_id
""")


async def test_more_than_can_be_changed_at_once(
    app: FastAPI, owner: Caller, project: dict[str, Any], task: dict[str, Any]
) -> None:
    label = await make_label(owner, project)
    database: Database = app.state.database
    async with database.system_transaction() as session:
        await session.execute(COPIES, {"copies": MAX_TASKS, "task_id": task["id"]})
        await session.execute(LABELLED, {"label_id": label["id"], "project_id": project["id"]})
    paths = (
        f"/labels/{label['id']}",
        f"/statuses/{(await statuses_of(owner, project))['todo']['id']}?move_to=in_progress",
    )
    await owner.post(f"/projects/{project['id']}/statuses", {"key": "next", "name": "N", "category": "todo"})
    for path in paths:
        refusal = (await owner.delete(path)).json()["error"]
        assert (refusal["code"], refusal["details"]) == ("TOO_MANY_TASKS", {"limit": MAX_TASKS})
    async with database.system_transaction() as session:
        await session.execute(text("DELETE FROM tasks WHERE id = :task_id"), {"task_id": task["id"]})
    for path in paths:
        assert (await owner.delete(path)).status_code == 204
