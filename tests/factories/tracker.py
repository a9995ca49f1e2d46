"""Workspaces, projects, tasks and API tokens, made through the API by those who may."""

from itertools import count
from typing import Any

from sqlalchemy import text

from glasswork.core.db import Database

from .callers import Caller

_numbers = count(1)


async def make_workspace(owner: Caller, **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    return await _make(
        owner, "/workspaces", {"name": f"Workspace {number}", "slug": f"workspace-{number}"} | fields
    )


async def make_api_token(owner: Caller, *scopes: str, **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    return await _make(owner, "/auth/api-tokens", {"name": f"script {number}", "scopes": scopes} | fields)


async def make_project(member: Caller, workspace: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    path = f"/workspaces/{workspace['id']}/projects"
    return await _make(member, path, {"name": f"Project {number}", "key": f"P{number}"} | fields)


async def make_label(member: Caller, project: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    return await _make(member, f"/projects/{project['id']}/labels", {"name": f"label {number}"} | fields)


async def make_workspace_label(admin: Caller, workspace: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    return await _make(admin, f"/workspaces/{workspace['id']}/labels", {"name": f"label {number}"} | fields)


async def make_status(admin: Caller, project: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    new = {"key": f"status_{number}", "name": f"Status {number}", "category": "in_progress"}
    return await _make(admin, f"/projects/{project['id']}/statuses", new | fields)


async def make_task(member: Caller, project: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    return await _make(member, f"/projects/{project['id']}/tasks", {"title": f"Task {number}"} | fields)


async def make_comment(member: Caller, task: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    return await _make(member, f"/tasks/{task['id']}/comments", {"body": f"Comment {number}"} | fields)


async def make_announcement(admin: Caller, workspace: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    new = {"subject": f"News {number}", "body": f"What is new: {number}"}
    return await _make(admin, f"/workspaces/{workspace['id']}/announcements", new | fields)


async def make_link(member: Caller, task: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    new = {"url": f"https://example.com/{number}", "title": f"Page {number}"}
    return await _make(member, f"/tasks/{task['id']}/links", new | fields)


async def make_hook(admin: Caller, workspace: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    new = {"kind": "github", "name": f"Hook {number}"}
    return await _make(admin, f"/workspaces/{workspace['id']}/hooks", new | fields)


async def make_calendar_feed(member: Caller, workspace: dict[str, Any], **fields: Any) -> dict[str, Any]:
    number = next(_numbers)
    return await _make(
        member, f"/workspaces/{workspace['id']}/calendar-feeds", {"name": f"Feed {number}"} | fields
    )


async def multiply_tasks(database: Database, times: int) -> None:
    """Give the one task that there is so many copies."""
    columns = text(
        "SELECT string_agg(column_name, ', ') FROM information_schema.columns WHERE table_name = 'tasks'"
        " AND column_name NOT IN ('id', 'number', 'position', 'search')"
    )
    async with database.system_transaction() as session:
        others = (await session.scalars(columns)).one()
        copy = text(
            f"INSERT INTO tasks (id, number, position, {others})"
            f" SELECT gen_random_uuid(), number + copy, 'z' || copy, {others}"
            " FROM tasks, generate_series(1, :times) AS copy"
        )
        await session.execute(copy, {"times": times})


async def _make(caller: Caller, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await caller.post(path, body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made
