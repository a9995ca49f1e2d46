"""One of everything, and what each operation is called with."""

from typing import Any

from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.core.tokens import digest
from glasswork.features.identities.models import Identity
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.tracker import (
    make_api_token,
    make_label,
    make_project,
    make_task,
    make_workspace,
    make_workspace_label,
)
from tests.features.second_factors.authenticator import (
    RECOVERY_CODE,
    begin,
    challenge_of,
    give_recovery_code,
)

from .walker import Operation

BODIES: dict[str, dict[str, Any]] = {
    "register": {"email": "new@example.com", "username": "new", "name": "New", "password": PASSWORD},
    "verify_email": {"token": "{verify_email}"},
    "change_password": {"password": PASSWORD, "new_password": f"{PASSWORD} too"},
    "forget_password": {"email": "nobody@example.com"},
    "reset_password": {"token": "{reset_password}", "new_password": f"{PASSWORD} too"},
    "change_email": {"email": "another@example.com", "password": PASSWORD},
    "confirm_email": {"token": "{change_email}"},
    "answer_challenge": {"challenge": "{challenge}", "code": "{code}"},
    "reauthenticate": {"password": PASSWORD, "code": "{code}"},
    "begin_totp": {"password": PASSWORD},
    "confirm_totp": {"code": "{code}"},
    "create_api_token": {"name": "script", "scopes": ["tasks:read"]},
    "create_first_admin": {
        "token": "{setup}",
        "email": "boss@example.com",
        "username": "boss",
        "name": "Boss",
        "password": PASSWORD,
    },
    "update_me": {"name": "Another"},
    "delete_me": {"password": PASSWORD},
    "update_user": {"is_active": False},
    "create_workspace": {"name": "W", "slug": "w"},
    "update_workspace": {"name": "V"},
    "update_member": {"role": "admin"},
    "create_invitation": {"email": "Somebody@example.com", "role": "viewer"},
    "accept_invitation": {"token": "{invited}"},
    "register_invited": {
        "token": "{host_invited}",
        "username": "hosted",
        "name": "Hosted",
        "password": PASSWORD,
    },
    "transfer_workspace": {"user_id": "{user_id}"},
    "create_project": {"name": "P", "key": "NEW"},
    "update_project": {"name": "Q"},
    "create_label": {"name": "new"},
    "update_label": {"name": "other"},
    "create_workspace_label": {"name": "new"},
    "create_status": {"key": "review", "name": "Review", "category": "in_progress", "position": 2},
    "update_status": {"name": "Doing", "position": 0},
    "create_task": {"title": "T"},
    "update_task": {"title": "U", "status": "done"},
    "position_task": {"after_id": "{done_task_id}"},
    "move_task": {"project_id": "{other_project_id}"},
    "create_relation": {"kind": "blocks", "task_id": "{done_task_id}"},
    "change_tasks": {
        "mode": "atomic",
        "operations": [{"op": "update", "task_id": "{task_id}", "title": "V"}],
    },
    "refresh": {"refresh_token": "{refresh_token}"},
}
FORMS = {"log_in": {"username": "{email}", "password": PASSWORD, "code": "{code}"}}
QUERIES = {"search_tasks": {"q": "task"}, "delete_status": {"move_to": "todo"}}
SUBJECTS = {
    "restore_task": {"task_id": "{deleted_task_id}"},
    "reopen_task": {"task_id": "{done_task_id}"},
    "unarchive_task": {"task_id": "{archived_task_id}"},
    **{
        name: {"task_id": "{whole_task_id}"}
        for name in ("list_subtasks", "unwatch_task", "list_relations", "get_relation", "delete_relation")
    },
    "undo_task_change": {"task_id": "{done_task_id}"},
}
"""Where an operation is not for the thing of its path parameter's name."""

Things = dict[str, str]


async def make_things(callers: Callers, owner: Caller, mark: str) -> Things:
    """Return ids and tokens: of a workspace of the owner's, whose names have the mark, and of the owner."""
    workspace = await make_workspace(owner, name=f"{mark} workspace")
    project = await make_project(owner, workspace, name=f"{mark} project")
    label = await make_label(owner, project, name=f"{mark} label")
    tasks = [await make_task(owner, project, title=f"{mark} task", label_ids=[label["id"]])]
    tasks += [await make_task(owner, project, title=f"{mark} task") for _ in range(2)]
    await make_task(owner, project, title=f"{mark} task", status="in_progress")
    statuses = (await owner.get(f"/projects/{project['id']}/statuses")).json()["items"]
    await owner.patch(f"/statuses/{statuses[1]['id']}", {"name": f"{mark} status"})
    await make_workspace_label(owner, workspace, name=f"{mark} label of all")
    await owner.delete(f"/tasks/{tasks[1]['id']}")
    await owner.put(f"/tasks/{tasks[2]['id']}/completion")
    member = await callers.member(workspace["id"], Role.MEMBER)
    whole, archived = [await make_task(owner, project, title=f"{mark} task") for _ in range(2)]
    part = await make_task(owner, project, title=f"{mark} task", parent_id=whole["id"])
    await owner.put(f"/tasks/{whole['id']}/watchers/{member.id}")
    await owner.put(f"/tasks/{archived['id']}/archive")
    related = {"kind": "blocks", "task_id": part["id"]}
    invitation = {"email": "somebody@example.com", "role": "viewer"}
    pending = (await owner.post(f"/workspaces/{workspace['id']}/invitations", invitation)).json()
    logged_in = await owner.client.post(
        "/api/v1/auth/token", data={"username": owner.email, "password": PASSWORD}
    )
    sessions = (await owner.get("/auth/sessions")).json()["items"]
    await give_recovery_code(callers.database, member.id)
    await give_recovery_code(callers.database, owner.id)
    return {
        "workspace_id": workspace["id"],
        "project_id": project["id"],
        "status_id": statuses[1]["id"],
        "label_id": label["id"],
        "task_id": tasks[0]["id"],
        "key": tasks[0]["key"],
        "deleted_task_id": tasks[1]["id"],
        "done_task_id": tasks[2]["id"],
        "whole_task_id": whole["id"],
        "archived_task_id": archived["id"],
        "relation_id": (await owner.post(f"/tasks/{whole['id']}/relations", related)).json()["id"],
        "other_project_id": (await make_project(owner, workspace, name=f"{mark} project"))["id"],
        "user_id": str(member.id),
        "invitation_id": pending["id"],
        "api_token_id": (await make_api_token(owner, "tasks:read"))["id"],
        "identity_id": await link(callers, owner),
        "provider": "acme",
        "session_id": next(each["id"] for each in sessions if not each["is_current"]),
        "job_id": str(await dead_job(callers)),
        "email": owner.email,
        "refresh_token": logged_in.json()["refresh_token"],
        "challenge": await challenge_of(owner),
        "code": RECOVERY_CODE,
        "invited": await invite(callers, owner.email),
        "host_invited": await invite(callers, "hosted@example.com"),
        "setup": await setup_token(callers),
        **{purpose: await one_time_token(callers, owner, purpose) for purpose in PURPOSES},
    }


async def begin_totp_again(callers: Callers, owner: Caller, things: Things) -> Things:
    """For the one operation that wants a second factor that is not on yet."""
    assert (await owner.delete("/auth/totp")).status_code == 204
    return things | {"code": await (await begin(owner, callers.database)).code()}


PURPOSES = ("verify_email", "reset_password", "change_email")


def prepare(operation: Operation, things: Things) -> tuple[str, dict[str, Any]]:
    """Return its path below the prefix, and what else httpx2 needs to call it."""
    subjects = things | _filled(SUBJECTS.get(operation.name, {}), things)
    options = {}
    if body := BODIES.get(operation.name):
        options["json"] = _filled(body, things)
    if query := QUERIES.get(operation.name):
        options["params"] = query
    if form := FORMS.get(operation.name):
        options["data"] = _filled(form, things)
    return operation.path.format(**subjects), options


def _filled(value: Any, things: Things) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, things) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, things) for inner in value]
    return value.format(**things) if isinstance(value, str) else value


async def link(callers: Callers, user: Caller) -> str:
    identity = Identity(id=uuid7(), user_id=user.id, provider="acme", subject="1")
    async with callers.database.transaction() as session:
        session.add(identity)
    return str(identity.id)


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


async def setup_token(callers: Callers) -> str:
    """As `serve` printed it when there was no admin."""
    printed = text("INSERT INTO setup_tokens (token_hash) VALUES (:token_hash)")
    async with callers.database.transaction() as session:
        await session.execute(printed, {"token_hash": digest("setup")})
    return "setup"


async def dead_job(callers: Callers) -> int:
    """Any that was ordered, as the runner leaves it that failed for the last time."""
    killed = text(
        "UPDATE jobs.pgqueuer SET status = 'failed', attempts = 9"
        " WHERE id = (SELECT max(id) FROM jobs.pgqueuer) RETURNING id"
    )
    async with callers.database.transaction() as session:
        job_id: int = (await session.execute(killed)).scalar_one()
    return job_id
