"""Exactly one event for each change, on every operation that the document has."""

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from glasswork.features.accounts.models import SystemRole
from tests.conftest import RolledBackDatabase, undone
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_workspace

from .matrix import NOTED
from .things import Things, begin_totp_again, invite, make_things
from .walker import operations
from .world import prepare

pytestmark = pytest.mark.anyio

SILENT = {
    *("log_in", "verify_second_factor", "reauthenticate", "refresh", "log_out"),
    *("read_notification", "unread_notification", "read_all_notifications"),
    *("set_notification_preferences", "unsubscribe"),
    *("end_session", "end_other_sessions", "begin_totp", "link_identity", "retry_job"),
    *("ping_webhook", "redeliver", "redeliver_since"),
}
"""They change no resource: signing in and out, what is only begun, marks and wishes of one's own, a job that
is put back as it was, and what is only told once more."""

EVENTS: dict[str, list[str]] = {
    # Of its own subject first.
    "register": ["user.created"],
    "verify_email": ["user.updated"],
    "change_password": ["user.password_changed"],
    "request_password_reset": ["user.password_forgotten"],
    "reset_password": ["user.password_changed"],
    "change_email": ["user.address_change_requested"],
    "confirm_email": ["user.updated"],
    "export_project": ["export.created"],
    "export_workspace": ["export.created"],
    "create_api_token": ["api_token.created"],
    "revoke_api_token": ["api_token.deleted"],
    "confirm_totp": ["user.totp_enabled"],
    "renew_recovery_codes": ["user.recovery_codes_renewed"],
    "disable_totp": ["user.totp_disabled"],
    "reset_user_totp": ["user.totp_disabled"],
    "delete_identity": ["identity.deleted"],
    "update_me": ["user.updated"],
    "update_user": ["user.updated"],
    "delete_me": ["user.deleted", "workspace.deleted", "member.deleted", "invitation.deleted"],
    "create_first_admin": ["user.created"],
    "create_workspace": ["workspace.created", "member.created"],
    "update_workspace": ["workspace.updated"],
    "delete_workspace": ["workspace.deleted"],
    "update_member": ["member.updated"],
    "remove_member": ["member.deleted"],
    "create_invitation": ["invitation.created", "invitation.deleted"],
    "withdraw_invitation": ["invitation.deleted"],
    "accept_invitation": ["member.created", "invitation.deleted"],
    "register_invited": ["user.created", "member.created", "invitation.deleted"],
    "transfer_workspace": ["member.updated", "member.updated"],
    "create_announcement": ["announcement.created"],
    "create_workspace_announcement": ["announcement.created"],
    "create_project": ["project.created"],
    "update_project": ["project.updated"],
    "delete_project": ["project.deleted"],
    "create_label": ["label.created"],
    "update_label": ["label.updated"],
    "create_workspace_label": ["label.created"],
    "delete_label": ["label.deleted", "task.updated"],
    "create_status": ["status.created", "status.updated", "status.updated"],
    "update_status": ["status.updated", "status.updated"],
    "delete_status": ["status.deleted", "status.updated", "status.updated", "task.updated"],
    "create_task": ["task.created"],
    "update_task": ["task.updated"],
    "delete_task": ["task.deleted"],
    "restore_task": ["task.restored"],
    "complete_task": ["task.updated"],
    "reopen_task": ["task.updated"],
    "position_task": ["task.updated"],
    "move_task": ["task.updated"],
    "archive_task": ["task.updated"],
    "unarchive_task": ["task.updated"],
    "watch_task": ["task.updated"],
    "unwatch_task": ["task.updated"],
    "create_relation": ["relation.created"],
    "delete_relation": ["relation.deleted"],
    "create_task_link": ["link.created"],
    "delete_task_link": ["link.deleted"],
    "create_hook": ["hook.created"],
    "update_hook": ["hook.updated"],
    "change_hook_secret": ["hook.updated"],
    "delete_hook": ["hook.deleted"],
    "receive_message": ["task.updated", "link.created"],
    "create_calendar_feed": ["calendar_feed.created"],
    "delete_calendar_feed": ["calendar_feed.deleted"],
    "put_attachment": ["attachment.updated"],
    "delete_attachment": ["attachment.deleted"],
    "create_archive": ["archive.created"],
    "delete_archive": ["archive.deleted"],
    "create_comment": ["comment.created"],
    "update_comment": ["comment.updated"],
    "delete_comment": ["comment.deleted"],
    "restore_comment": ["comment.restored"],
    "add_reaction": ["comment.updated"],
    "remove_reaction": ["comment.updated"],
    "create_import": ["import.created"],
    "put_import_file": ["import.updated"],
    "start_import": ["import.updated"],
    "delete_import": ["import.deleted"],
    "create_webhook": ["webhook.created"],
    "update_webhook": ["webhook.updated"],
    "change_webhook_secret": ["webhook.updated"],
    "delete_webhook": ["webhook.deleted"],
    "order_project_report": ["report.created"],
    "order_workspace_report": ["report.created"],
    "delete_report": ["report.deleted"],
    "bulk_change_tasks": ["task.updated"],
    "undo_task_change": ["task.updated"],
}


async def all_types(callers: Callers) -> list[str]:
    statement = text(
        "SELECT type FROM workspace_events UNION ALL SELECT type FROM installation_events ORDER BY type"
    )
    async with callers.database.reading() as session:
        return list((await session.scalars(statement)).all())


def test_every_operation_that_changes_something_is_here(app: FastAPI) -> None:
    changing = {operation.name for operation in operations(app) if operation.method != "GET"}
    assert changing | NOTED == EVENTS.keys() | SILENT


@pytest.fixture(scope="module")
async def owner(shared_callers: Callers) -> Caller:
    """Also an admin of the installation, so that every operation is open."""
    return await shared_callers.user(SystemRole.ADMIN)


@pytest.fixture(scope="module")
async def things(acme: None, shared_callers: Callers, owner: Caller) -> Things:
    del acme
    return await make_things(shared_callers, owner, "my")


async def leaving(callers: Callers) -> Caller:
    """Who has a workspace, is a member of another, and is invited to a third."""
    caller = await callers.user()
    await make_workspace(caller)
    accepted, _ = [await invite(callers, caller.email) for _ in range(2)]
    assert (await caller.post("/invitations/accept", {"token": accepted})).status_code == 200
    return caller


async def without_admin(callers: Callers) -> Caller:
    """Nobody administers the installation."""
    async with callers.database.system_transaction() as session:
        await session.execute(text("UPDATE users SET role = 'user'"))
    return await callers.user()


PREPARED = {"delete_me": leaving, "create_first_admin": without_admin}
"""What is not open to an owner who is an admin too."""


@pytest.mark.parametrize("name", sorted(EVENTS))
async def test_each_operation_makes_its_events_and_no_others(
    app: FastAPI,
    shared_callers: Callers,
    shared_database: RolledBackDatabase,
    owner: Caller,
    things: Things,
    name: str,
) -> None:
    operation = next(each for each in operations(app) if each.name == name)
    async with undone(shared_database.connection):
        if name == "confirm_totp":
            things = await begin_totp_again(shared_callers, owner, things)
        path, options = prepare(operation, things)
        caller = await PREPARED[name](shared_callers) if name in PREPARED else owner
        before = await all_types(shared_callers)
        answer = await caller.request(operation.method, path, **options)
        assert answer.is_success, answer.text
        after = await all_types(shared_callers)
    for type_ in before:
        after.remove(type_)
    assert after == sorted(EVENTS[name])
