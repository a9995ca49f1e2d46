import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.core.db import Database
from glasswork.features.account_exports.repository import BATCH
from glasswork.features.account_exports.schemas import AccountExport
from glasswork.features.account_exports.service import ExportService
from glasswork.features.accounts.models import SystemRole
from glasswork.features.archives.models import Archive
from glasswork.features.credentials.events import AddressChangeRequested, PasswordForgot
from glasswork.features.identities.models import Identity
from glasswork.features.notifying.jobs import NOTIFY
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, PASSWORD_HASH, Caller, Callers
from tests.factories.files import make_attachment
from tests.factories.imports import make_import
from tests.factories.reports import make_report
from tests.factories.tracker import (
    make_api_token,
    make_calendar_feed,
    make_comment,
    make_hook,
    make_label,
    make_link,
    make_project,
    make_task,
    make_workspace,
    multiply_tasks,
)
from tests.factories.webhooks import make_webhook
from tests.factories.work import work_off
from tests.features.accounts.sign_in import error_of, log_in
from tests.features.credentials.letters import Postman
from tests.features.second_factors.authenticator import turn_on

pytestmark = pytest.mark.anyio

MAKERS: tuple[Callable[[Caller, dict[str, Any]], Awaitable[object]], ...] = ()
"""Of what further features have in a workspace, for somebody to make one."""


async def export(caller: Caller) -> dict[str, Any]:
    answer = await caller.get("/users/me/export")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


class TestRefusals:
    async def test_of_sessions_that_have_ended(self, callers: Callers) -> None:
        ada = await callers.user()
        assert (await ada.get("/users/me/export")).status_code == 200
        await ada.post("/auth/logout")
        answer = await ada.get("/users/me/export")
        assert (answer.status_code, error_of(answer)["code"]) == (401, "SESSION_ENDED")

    async def test_of_api_tokens(self, callers: Callers) -> None:
        ada = await callers.user()
        script = replace(ada, token=(await make_api_token(ada, "profile:read"))["token"])
        answer = await script.get("/users/me/export")
        assert (answer.status_code, error_of(answer)["code"]) == (403, "SESSION_REQUIRED")


async def test_it_is_a_file_that_is_not_cached(callers: Callers) -> None:
    answer = await (await callers.user()).get("/users/me/export")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="glasswork-account.json"'
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.fixture
async def ada(app: FastAPI, database: Database, callers: Callers) -> Caller:
    """Somebody of whom there is something of each kind."""
    ada = await callers.user()
    owner = await callers.user()
    workspace = await make_workspace(owner, name="Ada is here")
    body = {"email": ada.email, "role": "admin"}
    path = f"/workspaces/{workspace['id']}/invitations"
    token = (await owner.post(path, body)).json()["token"]
    await ada.post("/invitations/accept", {"token": token})
    project = await make_project(owner, workspace)
    label = await make_label(owner, project)
    await make_task(ada, project, title="Ada made it", label_ids=[label["id"]])
    await make_task(owner, project, title="Ada has it", assignee_id=str(ada.id))
    await make_task(owner, project, title="Bob's alone")
    gone = await make_task(ada, project, title="Ada threw it away")
    comment = await make_comment(ada, gone, body="Ada said it")
    for reaction in ("eyes", "heart"):
        await ada.put(f"/comments/{comment['id']}/reactions/{reaction}")
    await make_comment(owner, gone, body="Bob said it")
    await make_attachment(ada, gone, name="Ada's.pdf")
    await make_link(ada, gone, title="Ada's page")
    await make_link(owner, gone, title="Bob's page")
    await make_hook(ada, workspace, name="Ada's hook")
    await make_hook(owner, workspace, name="Bob's hook")
    await make_import(ada, workspace, format="github_archive")
    await make_import(owner, workspace, project_key="OPS")
    await make_calendar_feed(ada, workspace, name="Ada's feed")
    await make_calendar_feed(owner, workspace, name="Bob's feed")
    await make_webhook(ada, workspace, "https://example.com/?key=1", description="Ada's webhook")
    await make_webhook(owner, workspace, "https://example.com/?key=2", description="Bob's webhook")
    async with database.system_transaction() as session:
        for person in (ada, owner):
            session.add(Archive(workspace_id=UUID(workspace["id"]), created_by=person.id))
    await make_report(database, ada, project)
    await make_report(database, owner, project)
    await ada.delete(f"/tasks/{gone['id']}")
    await work_off(app, database, NOTIFY)
    wish = {"kind": "watched", "in_app": False, "mail": "none"}
    await ada.put("/notifications/preferences", {"time_zone": "UTC", "preferences": [wish]})
    for make in MAKERS:
        await make(ada, workspace)
    await make_api_token(ada, "tasks:read", name="Ada's script")
    await log_in(ada.client, ada.email)
    await turn_on(ada, database)
    async with database.system_transaction() as session:
        session.add(Identity(user_id=ada.id, provider="acme", subject="17", email=ada.email))
    await ada.patch("/users/me", {"name": "Ada"})
    await ada.post("/auth/change-email", {"email": "ada@new.example", "password": PASSWORD})
    await Postman(app, database).deliver(AddressChangeRequested)
    await ada.post("/auth/forgot-password", {"email": ada.email})
    await Postman(app, database, delivered=1).deliver(PasswordForgot)
    return ada


async def test_all_that_the_document_promises_is_in_it(ada: Caller) -> None:
    document = await export(ada)
    assert list(document) == list(AccountExport.model_fields)
    assert all(document[name] for name in document if name != "tasks_elsewhere")
    AccountExport.model_validate(document)
    assert document["profile"] == (await ada.get("/users/me")).json()
    assert len(document["sessions"]) == 2
    assert [token["name"] for token in document["api_tokens"]] == ["Ada's script"]
    assert [each["workspace_name"] for each in document["memberships"]] == ["Ada is here"]
    assert [each["email"] for each in document["invitations"]] == [ada.email]
    assert [each["subject"] for each in document["mails"]] == ["Set a new password"]
    assert [each["subject"] for each in document["identities"]] == ["17"]
    assert len(document["second_factors"]) == 1
    assert [each["body"] for each in document["comments"]] == ["Ada said it"]
    assert [each["reactions"] for each in document["reactions"]] == [["eyes", "heart"]]
    assert {each["purpose"] for each in document["one_time_tokens"]} == {"change_email", "reset_password"}
    assert [each["name"] for each in document["attachments"]] == ["Ada's.pdf"]
    assert [each["title"] for each in document["links"]] == ["Ada's page"]
    assert [each["name"] for each in document["hooks"]] == ["Ada's hook"]
    assert [each["format"] for each in document["imports"]] == ["github_archive"]
    assert [each["name"] for each in document["calendar_feeds"]] == ["Ada's feed"]
    assert [each["description"] for each in document["webhooks"]] == ["Ada's webhook"]
    assert "key=" not in json.dumps(document["webhooks"])
    assert (len(document["reports"]), len(document["archives"])) == (1, 1)
    assert [each["kind"] for each in document["notifications"]] == ["assigned"]
    assert [each["mail"] for each in document["notification_preferences"]] == ["none"]
    told = [each["type"] for each in document["events"]]
    assert told == [
        "api_token.created",
        "user.totp_enabled",
        "user.updated",
        "user.address_change_requested",
        "user.password_forgotten",
    ]
    assert document["events"][0]["after"]["name"] == "Ada's script"


async def test_tasks_are_as_the_api_shows_them(ada: Caller) -> None:
    document = await export(ada)
    titles = {task["title"]: task for task in document["tasks"]}
    assert titles.keys() == {"Ada made it", "Ada has it", "Ada threw it away"}
    for title in ("Ada made it", "Ada has it"):
        shown = (await ada.get(f"/tasks/{titles[title]['id']}")).json()
        assert titles[title] == shown | {"deleted_at": None}
    assert titles["Ada threw it away"]["deleted_at"]


@pytest.mark.alone
async def test_no_secret_is_in_it(ada: Caller, database: Database) -> None:
    whole = json.dumps(await export(ada))
    async with database.reading() as session:
        hashes = await session.scalars(
            text(
                "SELECT token_hash FROM one_time_tokens UNION ALL SELECT token_hash FROM api_tokens"
                " UNION ALL SELECT token_hash FROM calendar_feeds"
            )
        )
        kept = await session.scalars(text("SELECT body FROM kept_mails"))
        secrets = [*hashes, *(body.split("\n\n")[2] for body in kept), PASSWORD_HASH]
    assert len(secrets) == 8
    assert not [secret for secret in secrets if secret in whole]
    assert "gwk_" not in whole
    assert "gwf_" not in whole


async def test_nothing_of_anybody_else_is_in_it(ada: Caller, callers: Callers) -> None:
    admin = await callers.user(SystemRole.ADMIN)
    workspace = await make_workspace(admin, name="Admins only")
    body = {"email": "third@example.com", "role": "member"}
    await admin.post(f"/workspaces/{workspace['id']}/invitations", body)
    await admin.patch(f"/users/{ada.id}", {"role": "admin"})
    await ada.patch(f"/users/{admin.id}", {"is_active": False})
    await make_api_token(await callers.user(), "tasks:read", name="Nobody's script")
    document = await export(ada)
    whole = json.dumps(document)
    for word in (
        "Admins only",
        "third@example.com",
        "Nobody's script",
        "Bob's alone",
        "Bob said it",
        admin.email,
    ):
        assert word not in whole
    assert set(re.findall(r"[\w.]+@[\w.]+", whole)) == {ada.email, "ada@new.example"}
    by_me = [event for event in document["events"] if event["subject_id"] == str(admin.id)]
    assert [(event["type"], event["before"], event["after"]) for event in by_me] == [
        ("user.updated", None, None)
    ]
    to_me = [event for event in document["events"] if event["actor_id"] == str(admin.id)]
    assert [event["after"]["role"] for event in to_me] == ["admin"]


async def test_of_workspaces_that_i_left_my_own_words_are_in_it(callers: Callers) -> None:
    owner = await callers.user()
    workspace = await make_workspace(owner)
    ada = await callers.user()
    await callers.join(ada, workspace["id"], Role.MEMBER)
    project = await make_project(owner, workspace)
    task = await make_task(ada, project, title="Ada's words")
    await make_task(owner, project, title="Not hers", assignee_id=str(ada.id))
    await owner.patch(f"/tasks/{task['id']}", {"description": "The owner's words"})
    comment = await make_comment(ada, task)
    assert [each["description"] for each in (await export(ada))["tasks"]] == ["The owner's words", ""]
    await ada.delete(f"/workspaces/{workspace['id']}/members/{ada.id}")
    document = await export(ada)
    assert document["tasks"] == []
    (elsewhere,) = document["tasks_elsewhere"]
    assert (elsewhere["workspace_id"], elsewhere["task"]) == (workspace["id"], task)
    assert [each["body"] for each in document["comments"]] == [comment["body"]]
    (membership,) = document["memberships"]
    assert membership["left_at"] is not None
    assert membership["workspace_name"] is None


async def test_of_each_workspace_it_has_the_tasks_once(callers: Callers) -> None:
    ada = await callers.user()
    for title in ("One", "Two"):
        await make_task(ada, await make_project(ada, await make_workspace(ada)), title=title)
    assert [task["title"] for task in (await export(ada))["tasks"]] == ["One", "Two"]


@pytest.mark.alone
async def test_however_much_there_is_a_part_is_a_batch(callers: Callers, database: Database) -> None:
    ada = await callers.user()
    project = await make_project(ada, await make_workspace(ada))
    await make_task(ada, project)
    await multiply_tasks(database, 4_999)
    parts = [part async for part in await ExportService(database).open(ada.actor)]
    document = json.loads(b"".join(parts))
    assert len({task["id"] for task in document["tasks"]}) == len(document["tasks"]) == 5_000
    of_tasks = [part.count(b'"project_id"') for part in parts if b'"project_id"' in part]
    assert of_tasks == [BATCH] * 50
