"""Exactly one event for each change, on every operation that the document has."""

from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.tokens import digest
from glasswork.features.accounts.models import SystemRole
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.tracker import make_api_token, make_label, make_project, make_task, make_workspace

pytestmark = pytest.mark.anyio

SILENT = {"log_in", "refresh", "log_out", "end_session", "end_other_sessions", "retry_job"}
"""They change no resource: signing in and out, and a job that is put back as it was."""

ANSWERED: dict[str, tuple[str, str, Any, list[str]]] = {
    # operation: method, path, body, and the events that follow: that of its own subject first
    "register": (
        "POST",
        "/auth/register",
        {"email": "new@example.com", "username": "new", "name": "New", "password": PASSWORD},
        ["user.created"],
    ),
    "verify_email": ("POST", "/auth/verify-email", {"token": "{token}"}, ["user.updated"]),
    "change_password": (
        "POST",
        "/auth/change-password",
        {"password": PASSWORD, "new_password": f"{PASSWORD} too"},
        ["user.password_changed"],
    ),
    "forget_password": (
        "POST",
        "/auth/forgot-password",
        {"email": "nobody@example.com"},
        ["user.password_forgotten"],
    ),
    "reset_password": (
        "POST",
        "/auth/reset-password",
        {"token": "{reset}", "new_password": f"{PASSWORD} too"},
        ["user.password_changed"],
    ),
    "change_email": (
        "POST",
        "/auth/change-email",
        {"email": "another@example.com", "password": PASSWORD},
        ["user.address_change_requested"],
    ),
    "confirm_email": ("POST", "/auth/confirm-email", {"token": "{address}"}, ["user.updated"]),
    "create_api_token": (
        "POST",
        "/auth/api-tokens",
        {"name": "script", "scopes": ["tasks:read"]},
        ["api_token.created"],
    ),
    "revoke_api_token": ("DELETE", "/auth/api-tokens/{api_token}", None, ["api_token.deleted"]),
    "update_me": ("PATCH", "/users/me", {"name": "Another"}, ["user.updated"]),
    "update_user": ("PATCH", "/users/{user}", {"is_active": False}, ["user.updated"]),
    "create_workspace": (
        "POST",
        "/workspaces",
        {"name": "W", "slug": "w"},
        ["workspace.created", "member.created"],
    ),
    "update_workspace": ("PATCH", "/workspaces/{workspace}", {"name": "V"}, ["workspace.updated"]),
    "delete_workspace": ("DELETE", "/workspaces/{workspace}", None, ["workspace.deleted"]),
    "update_member": (
        "PATCH",
        "/workspaces/{workspace}/members/{member}",
        {"role": "admin"},
        ["member.updated"],
    ),
    "remove_member": ("DELETE", "/workspaces/{workspace}/members/{member}", None, ["member.deleted"]),
    "create_invitation": (
        "POST",
        "/workspaces/{workspace}/invitations",
        {"email": "Somebody@example.com", "role": "viewer"},
        ["invitation.created", "invitation.deleted"],
    ),
    "withdraw_invitation": (
        "DELETE",
        "/workspaces/{workspace}/invitations/{invitation}",
        None,
        ["invitation.deleted"],
    ),
    "accept_invitation": (
        "POST",
        "/invitations/accept",
        {"token": "{invited}"},
        ["member.created", "invitation.deleted"],
    ),
    "register_invited": (
        "POST",
        "/invitations/register",
        {"token": "{host_invited}", "username": "hosted", "name": "Hosted", "password": PASSWORD},
        ["user.created", "member.created", "invitation.deleted"],
    ),
    "transfer_workspace": (
        "POST",
        "/workspaces/{workspace}/transfer",
        {"user_id": "{member}"},
        ["member.updated", "member.updated"],
    ),
    "create_project": (
        "POST",
        "/workspaces/{workspace}/projects",
        {"name": "P", "key": "NEW"},
        ["project.created"],
    ),
    "update_project": ("PATCH", "/projects/{project}", {"name": "Q"}, ["project.updated"]),
    "delete_project": ("DELETE", "/projects/{project}", None, ["project.deleted"]),
    "create_label": ("POST", "/projects/{project}/labels", {"name": "new"}, ["label.created"]),
    "update_label": ("PATCH", "/labels/{label}", {"name": "other"}, ["label.updated"]),
    "delete_label": ("DELETE", "/labels/{label}", None, ["label.deleted", "task.updated"]),
    "create_task": ("POST", "/projects/{project}/tasks", {"title": "T"}, ["task.created"]),
    "update_task": ("PATCH", "/tasks/{task}", {"title": "U", "status": "done"}, ["task.updated"]),
    "delete_task": ("DELETE", "/tasks/{task}", None, ["task.deleted"]),
    "restore_task": ("POST", "/tasks/{deleted}/restore", None, ["task.restored"]),
    "complete_task": ("PUT", "/tasks/{task}/completion", None, ["task.updated"]),
    "reopen_task": ("DELETE", "/tasks/{done}/completion", None, ["task.updated"]),
}


def mutations(app: FastAPI) -> set[str]:
    return {
        operation["operationId"]
        for methods in app.openapi()["paths"].values()
        for method, operation in methods.items()
        if method != "get"
    }


async def all_types(callers: Callers) -> list[str]:
    statement = text(
        "SELECT type FROM workspace_events UNION ALL SELECT type FROM installation_events ORDER BY type"
    )
    async with callers.database.reading() as session:
        return list((await session.scalars(statement)).all())


def test_every_operation_that_changes_something_is_here(app: FastAPI) -> None:
    assert mutations(app) == ANSWERED.keys() | SILENT


@pytest.fixture
async def owner(callers: Callers) -> Caller:
    """Also an admin of the installation, so that every operation is open."""
    return await callers.user(SystemRole.ADMIN)


@pytest.fixture
async def things(callers: Callers, owner: Caller) -> dict[str, str]:
    """One of each kind, by the names in the paths above."""
    workspace = await make_workspace(owner)
    project = await make_project(owner, workspace)
    label = await make_label(owner, project)
    tasks = [await make_task(owner, project, label_ids=[label["id"]])]
    tasks += [await make_task(owner, project) for _ in range(2)]
    await owner.delete(f"/tasks/{tasks[1]['id']}")
    await owner.put(f"/tasks/{tasks[2]['id']}/completion")
    member = await callers.member(workspace["id"], Role.MEMBER)
    invitation = {"email": "somebody@example.com", "role": "viewer"}
    pending = (await owner.post(f"/workspaces/{workspace['id']}/invitations", invitation)).json()
    return {
        "workspace": workspace["id"],
        "project": project["id"],
        "label": label["id"],
        "task": tasks[0]["id"],
        "deleted": tasks[1]["id"],
        "done": tasks[2]["id"],
        "member": str(member.id),
        "user": str(member.id),
        "api_token": (await make_api_token(owner, "tasks:read"))["id"],
        "invitation": pending["id"],
        "invited": await invite(callers, owner.email),
        "host_invited": await invite(callers, "hosted@example.com"),
        "token": await one_time_token(callers, owner, "verify_email"),
        "reset": await one_time_token(callers, owner, "reset_password"),
        "address": await one_time_token(callers, owner, "change_email"),
    }


async def invite(callers: Callers, email: str) -> str:
    """Into a workspace of somebody else's."""
    host = await callers.user()
    workspace = await make_workspace(host)
    body = {"email": email, "role": "member"}
    answer = await host.post(f"/workspaces/{workspace['id']}/invitations", body)
    token: str = answer.json()["token"]
    return token


async def one_time_token(callers: Callers, user: Caller, purpose: str) -> str:
    statement = text(
        "INSERT INTO one_time_tokens (token_hash, user_id, purpose, expires_at, address)"
        " VALUES (:token_hash, :user_id, :purpose, now() + interval '1 day', 'new@example.com')"
    )
    values = {"token_hash": digest(purpose), "user_id": user.id, "purpose": purpose}
    async with callers.database.transaction() as session:
        await session.execute(statement, values)
    return purpose


@pytest.mark.parametrize("operation", sorted(ANSWERED))
async def test_each_operation_makes_its_events_and_no_others(
    callers: Callers, owner: Caller, things: dict[str, str], operation: str
) -> None:
    method, path, body, expected = ANSWERED[operation]
    filled: Any = body and {
        name: value.format(**things) if isinstance(value, str) else value for name, value in body.items()
    }
    before = await all_types(callers)
    answer = await owner.request(method, path.format(**things), json=filled)
    assert answer.is_success, answer.text
    after = await all_types(callers)
    for type_ in before:
        after.remove(type_)
    assert after == sorted(expected)
