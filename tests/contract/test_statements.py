"""A read is a fixed number of round trips to the database, most often one, however much there is."""

import pytest
from fastapi import FastAPI

from glasswork.features.accounts.models import SystemRole
from tests.conftest import RolledBackDatabase
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import (
    make_api_token,
    make_comment,
    make_label,
    make_project,
    make_task,
    make_workspace,
)
from tests.statements import statements

from .things import Things, make_things
from .walker import Operation, operations
from .world import prepare

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("acme")]

ROWS = 15
ROLE_FIRST = dict.fromkeys(
    (
        *("list_users", "get_user", "list_jobs", "get_job", "list_audit", "list_workspace_audit"),
        *(
            "list_invitations",
            "get_invitation",
            "get_member",
            "list_webhooks",
            "list_deliveries",
            "list_hooks",
            "list_archives",
        ),
    ),
    2,
)
ROUND_TRIPS = {
    **ROLE_FIRST,
    **dict.fromkeys(("list_oidc_providers", "begin_oidc", "show_unsubscription"), 0),
    "follow_calendar_feed": 2,  # the feed first
    "get_project_summary": 2,  # the second where the cache does not know it
    "get_report_page": 2,  # its charts are no columns of it
}
NO_READS = {"export_me", "export_project", "export_workspace", "finish_oidc"}
"""Streams in batches, and a login."""


def reads(app: FastAPI) -> list[Operation]:
    return [
        operation
        for operation in operations(app)
        if operation.method == "GET" and operation.name not in NO_READS
    ]


def is_list(app: FastAPI, operation: Operation) -> bool:
    parameters = app.openapi()["paths"][f"/api/v1{operation.path}"]["get"].get("parameters", [])
    return any(parameter["name"] == "total" for parameter in parameters)


async def make_more(callers: Callers, owner: Caller, things: Things) -> None:
    workspace, project = {"id": things["workspace_id"]}, {"id": things["project_id"]}
    for n in range(ROWS):
        await make_task(owner, project, label_ids=[things["label_id"]], assignee_id=str(owner.id))
        await make_label(owner, project)
        await make_comment(owner, {"id": things["task_id"]}, reply_to_id=things["comment_id"])
        await make_project(owner, workspace, key=f"MORE{n}")
        await make_workspace(owner)
        await make_api_token(owner, "tasks:read")
        await callers.member(workspace["id"])
        invitation = {"email": f"more{n}@example.com", "role": "viewer"}
        await owner.post(f"/workspaces/{workspace['id']}/invitations", invitation)


async def round_trips(
    app: FastAPI, database: RolledBackDatabase, owner: Caller, things: Things
) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many each read takes, and how many rows each list has."""
    trips, rows = {}, {}
    for operation in reads(app):
        path, options = prepare(operation, things)
        with statements(database) as sent:
            answer = await owner.request("GET", path, **options)
        assert answer.status_code == operation.success, answer.text
        trips[operation.name] = len(sent)
        if is_list(app, operation):
            rows[operation.name] = len(answer.json()["items"])
    return trips, rows


async def test_every_read_is_one_whatever_the_number_of_rows(
    app: FastAPI, callers: Callers, database: RolledBackDatabase
) -> None:
    owner = await callers.user(SystemRole.ADMIN)
    things = await make_things(callers, owner, "my")
    due = {operation.name: ROUND_TRIPS.get(operation.name, 1) for operation in reads(app)}
    trips, few = await round_trips(app, database, owner, things)
    assert trips == due
    await make_more(callers, owner, things)
    trips, many = await round_trips(app, database, owner, things)
    assert trips == due
    assert min(few.values()) >= 1
    full = {"list_project_tasks", "list_workspace_tasks", "list_labels", "list_projects", "list_members"}
    full.add("list_comments")
    assert {name for name in full if many[name] < ROWS} == set()


async def test_a_total_is_one_more(app: FastAPI, callers: Callers, database: RolledBackDatabase) -> None:
    owner = await callers.user(SystemRole.ADMIN)
    things = await make_things(callers, owner, "my")
    lists = [operation for operation in reads(app) if is_list(app, operation)]
    assert len(lists) >= 10
    for operation in lists:
        path, options = prepare(operation, things)
        query = options.pop("params", {}) | {"total": True}
        with statements(database) as sent:
            answer = await owner.request("GET", path, params=query, **options)
        assert len(sent) == ROUND_TRIPS.get(operation.name, 1) + 1, operation.name
        assert answer.json()["total"] >= len(answer.json()["items"])
