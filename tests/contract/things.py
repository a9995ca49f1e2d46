"""One of everything."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from glasswork.core.tokens import digest
from glasswork.features.announcements.models import Announcement
from glasswork.features.archives.models import Archive, ArchiveStatus
from glasswork.features.identities.models import Identity
from glasswork.features.notifications.models import Kind, Mailing, Notification
from glasswork.features.notifications.service import unsubscribe_url
from glasswork.features.workspaces.models import Role
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.files import make_attachment, picture
from tests.factories.imports import make_import
from tests.factories.reports import make_report
from tests.factories.tracker import (
    make_announcement,
    make_api_token,
    make_calendar_feed,
    make_comment,
    make_hook,
    make_label,
    make_link,
    make_project,
    make_status,
    make_task,
    make_workspace,
    make_workspace_label,
)
from tests.factories.webhooks import make_webhook
from tests.features.receiving.senders import Github, encoded, push
from tests.features.second_factors.authenticator import (
    RECOVERY_CODE,
    begin,
    challenge_of,
    give_recovery_code,
)

Things = dict[str, str]

_CHECKED = "UPDATE imports SET status = 'checked' WHERE id = :id"
_FAULT = (
    "INSERT INTO import_faults (workspace_id, import_id, number, place, code, message)"
    " SELECT workspace_id, id, 1, 'row 2', 'INVALID_RECORD', 'title: Field required'"
    " FROM imports WHERE id = :id"
)
_WITH_THUMBNAIL = "UPDATE attachments SET thumbnail_id = object_id, thumbnail_size = size WHERE id = :id"


async def make_things(callers: Callers, owner: Caller, mark: str) -> Things:
    """Return ids and tokens: of a workspace of the owner's, whose names have the mark, and of the owner."""
    things = await make_workspace_things(callers, owner, mark)
    return {
        **things,
        **await make_account_things(callers, owner),
        "notification_id": await notify(callers, owner, things),
    }


async def make_workspace_things(callers: Callers, owner: Caller, mark: str) -> Things:
    workspace = await make_workspace(owner, name=f"{mark} workspace")
    member = await callers.member(workspace["id"], Role.MEMBER)
    await give_recovery_code(callers.database, member.id)
    await make_workspace_label(owner, workspace, name=f"{mark} label of all")
    invitation = {"email": "somebody@example.com", "role": "viewer"}
    pending = (await owner.post(f"/workspaces/{workspace['id']}/invitations", invitation)).json()
    return {
        "workspace_id": workspace["id"],
        "user_id": str(member.id),
        "username": member.username,
        "invitation_id": pending["id"],
        "announcement_id": (await make_announcement(owner, workspace, subject=f"{mark} news"))["id"],
        **await make_webhook_things(owner, workspace, mark),
        **(things := await make_project_things(owner, member, workspace, mark)),
        **await make_files(callers, owner, things["task_id"], mark),
        **await make_hook_things(owner, workspace, things, mark),
        **await make_imports(callers, owner, workspace),
        **await make_calendar_things(owner, workspace, mark),
        "report_id": (await make_report(callers.database, owner, {"id": things["project_id"]}))["id"],
        "kind": "burn_up",
        "format": "svg",
        "other_project_id": (await make_project(owner, workspace, name=f"{mark} project"))["id"],
    }


async def make_project_things(owner: Caller, member: Caller, workspace: dict[str, Any], mark: str) -> Things:
    project = await make_project(owner, workspace, name=f"{mark} project")
    label = await make_label(owner, project, name=f"{mark} label")
    status = await make_status(owner, project, name=f"{mark} status", position=1)
    title = f"{mark} task"
    task = await make_task(
        owner, project, title=title, label_ids=[label["id"]], assignee_id=str(member.id), status=status["key"]
    )
    deleted, done, whole, archived = [await make_task(owner, project, title=title) for _ in range(4)]
    part = await make_task(member, project, title=title, parent_id=whole["id"])
    await owner.delete(f"/tasks/{deleted['id']}")
    await owner.put(f"/tasks/{done['id']}/completion")
    await owner.put(f"/tasks/{whole['id']}/watchers/{member.id}")
    await owner.put(f"/tasks/{archived['id']}/archive")
    related = {"kind": "blocks", "task_id": part["id"]}
    link = await make_link(owner, task, title=f"{mark} page")
    comment = await make_comment(owner, task, body=f"{mark} words")
    await make_comment(member, task, body=f"{mark} answer", reply_to_id=comment["id"])
    await owner.patch(f"/comments/{comment['id']}", {"body": f"{mark} other words"})
    await owner.put(f"/comments/{comment['id']}/reactions/heart")
    deleted_comment = await make_comment(owner, task, body=f"{mark} words")
    await owner.delete(f"/comments/{deleted_comment['id']}")
    return {
        "project_id": project["id"],
        "project_key": project["key"],
        "status_id": status["id"],
        "status_key": status["key"],
        "label_id": label["id"],
        "label_name": label["name"],
        "task_id": task["id"],
        "key": task["key"],
        "deleted_task_id": deleted["id"],
        "done_task_id": done["id"],
        "whole_task_id": whole["id"],
        "whole_task_key": whole["key"],
        "archived_task_id": archived["id"],
        "link_id": link["id"],
        "comment_id": comment["id"],
        "deleted_comment_id": deleted_comment["id"],
        "reaction": "heart",
        "relation_id": (await owner.post(f"/tasks/{whole['id']}/relations", related)).json()["id"],
    }


async def make_files(callers: Callers, owner: Caller, task_id: str, mark: str) -> Things:
    """A picture, with one that is said to be its thumbnail, and a link to it."""
    attachment = await make_attachment(owner, {"id": task_id}, name=f"{mark}.png", content=picture(8))
    async with callers.database.system_transaction() as session:
        await session.execute(text(_WITH_THUMBNAIL), {"id": attachment["id"]})
    link = (await owner.get(f"/attachments/{attachment['id']}/link")).json()["url"]
    return {
        "archive_id": await archive(callers, owner, attachment),
        "attachment_id": attachment["id"],
        "file_name": attachment["name"],
        "token": link.rpartition("/")[2],
    }


async def make_imports(callers: Callers, owner: Caller, workspace: dict[str, Any]) -> Things:
    """One that waits for its file, and one that was tried."""
    waiting, checked = [await make_import(owner, workspace, format="github_archive") for _ in range(2)]
    async with callers.database.system_transaction() as session:
        await session.execute(text(_CHECKED), {"id": checked["id"]})
        await session.execute(text(_FAULT), {"id": waiting["id"]})
    return {"import_id": waiting["id"], "checked_import_id": checked["id"]}


async def archive(callers: Callers, owner: Caller, attachment: dict[str, Any]) -> str:
    """Whose bytes are said to be those of a file."""
    of_file = text("SELECT object_id FROM attachments WHERE id = :id")
    async with callers.database.system_transaction() as session:
        made = Archive(
            id=uuid7(),
            workspace_id=UUID(attachment["workspace_id"]),
            status=ArchiveStatus.COMPLETED,
            object_id=(await session.scalars(of_file, {"id": attachment["id"]})).one(),
            size=attachment["size"],
            sha256=attachment["sha256"],
            created_by=owner.id,
        )
        session.add(made)
    return str(made.id)


async def make_webhook_things(owner: Caller, workspace: dict[str, Any], mark: str) -> Things:
    webhook = await make_webhook(owner, workspace, f"https://example.com/{mark}")
    ping = await owner.post(f"/webhooks/{webhook['id']}/pings")
    return {"webhook_id": webhook["id"], "delivery_id": ping.json()["id"]}


async def make_hook_things(owner: Caller, workspace: dict[str, Any], things: Things, mark: str) -> Things:
    """And what GitHub may say there, once."""
    hook = await make_hook(owner, workspace, name=f"{mark} hook")
    message = encoded(push(f"Fixes {things['whole_task_key']}"))
    signed = Github(owner.client, hook).sign(message)
    return {
        "hook_id": hook["id"],
        "message": message.decode(),
        "message_signature": signed["X-Hub-Signature-256"],
    }


async def make_calendar_things(owner: Caller, workspace: dict[str, Any], mark: str) -> Things:
    feed = await make_calendar_feed(owner, workspace, name=f"{mark} feed")
    token = feed["url"].rpartition("/")[2].removesuffix(".ics")
    return {"calendar_feed_id": feed["id"], "calendar_token": token}


async def make_account_things(callers: Callers, owner: Caller) -> Things:
    logged_in = await owner.client.post(
        "/api/v1/auth/token", data={"username": owner.email, "password": PASSWORD}
    )
    sessions = (await owner.get("/auth/sessions")).json()["items"]
    await give_recovery_code(callers.database, owner.id)
    return {
        "api_token_id": (await make_api_token(owner, "tasks:read"))["id"],
        "identity_id": await link(callers, owner),
        "general_announcement_id": await announce(callers, owner),
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
        "unsubscribe": unsubscribe_url(callers.keys, "", owner.id, Kind.WATCHED).rpartition("/")[2],
        **{purpose: await one_time_token(callers, owner, purpose) for purpose in PURPOSES},
    }


async def begin_totp_again(callers: Callers, owner: Caller, things: Things) -> Things:
    """For the one operation that wants a second factor that is not on yet."""
    assert (await owner.delete("/auth/totp")).status_code == 204
    return things | {"code": await (await begin(owner, callers.database)).code()}


PURPOSES = ("verify_email", "reset_password", "change_email")


async def link(callers: Callers, user: Caller) -> str:
    identity = Identity(id=uuid7(), user_id=user.id, provider="acme", subject=str(user.id))
    async with callers.database.system_transaction() as session:
        session.add(identity)
    return str(identity.id)


async def notify(callers: Callers, user: Caller, things: Things) -> str:
    """Tell somebody of a task."""
    notification = Notification(
        id=uuid7(),
        user_id=user.id,
        workspace_id=UUID(things["workspace_id"]),
        task_id=UUID(things["task_id"]),
        kind=Kind.ASSIGNED,
        event_id=uuid7(),
        is_shown=True,
        mailing=Mailing.NONE,
    )
    async with callers.database.system_transaction() as session:
        session.add(notification)
    return str(notification.id)


async def announce(callers: Callers, author: Caller) -> str:
    """To all users, as an admin did."""
    announcement = Announcement(id=uuid7(), subject="News", body="Of all.", created_by=author.id)
    async with callers.database.system_transaction() as session:
        session.add(announcement)
    return str(announcement.id)


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
    token = f"{purpose} of {user.id}"
    values = {"token_hash": digest(token), "user_id": user.id, "purpose": purpose}
    async with callers.database.system_transaction() as session:
        await session.execute(statement, values)
    return token


async def setup_token(callers: Callers) -> str:
    """As `serve` printed it when there was no admin."""
    token = str(uuid7())
    printed = text("INSERT INTO setup_tokens (token_hash) VALUES (:token_hash)")
    async with callers.database.system_transaction() as session:
        await session.execute(printed, {"token_hash": digest(token)})
    return token


async def dead_job(callers: Callers) -> int:
    """Any that was ordered, as the runner leaves it that failed for the last time."""
    killed = text(
        "UPDATE jobs.pgqueuer SET status = 'failed', attempts = 9"
        " WHERE id = (SELECT max(id) FROM jobs.pgqueuer) RETURNING id"
    )
    async with callers.database.system_transaction() as session:
        job_id: int = (await session.execute(killed)).scalar_one()
    return job_id
