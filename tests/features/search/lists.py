"""Lists of tasks that have letters for titles."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_task


def path_of(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/tasks"


async def titles(caller: Caller, path: str, **query: Any) -> str:
    """The tasks found, which have letters for titles, in a row."""
    response = await caller.get(path, sort="title", **query)
    assert response.status_code == 200, response.text
    return "".join(item["title"] for item in response.json()["items"])


async def make_tasks(caller: Caller, project: dict[str, Any], **fields: dict[str, Any]) -> dict[str, str]:
    """Return their ids."""
    made = {
        title: await make_task(caller, project, title=title, **values) for title, values in fields.items()
    }
    return {title: task["id"] for title, task in made.items()}


async def put(callers: Callers, task_id: str, **columns: Any) -> None:
    """Straight into the database, what the API sets by itself or in another slice."""
    values = ", ".join(f"{name} = :{name}" for name in columns)
    async with callers.database.system_transaction() as session:
        await session.execute(
            text(f"UPDATE tasks SET {values} WHERE id = :id"), columns | {"id": UUID(task_id)}
        )
