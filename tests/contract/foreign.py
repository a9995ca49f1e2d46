"""Ids and keys that are none of the caller's business, by what makes them so."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from httpx2 import Response

from glasswork.features.workspaces.models import Membership, Role
from tests.factories.callers import Caller, Callers
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
    make_status,
    make_task,
)
from tests.factories.webhooks import make_webhook

from .matrix import MARK
from .things import Things, make_project_things, make_things, make_workspace_things

Maker = Callable[[Callers, Caller, Things], Awaitable[Things]]


async def of_strangers(callers: Callers, _caller: Caller, _own: Things) -> Things:
    things = await make_things(callers, await callers.user(), MARK)
    shared = {"job_id", "general_announcement_id"}  # nobody's, and everybody's
    return {name: thing for name, thing in things.items() if name not in shared}


async def of_those_left(callers: Callers, caller: Caller, _own: Things) -> Things:
    """Of a workspace in which the caller was an admin."""
    host = await callers.user()
    things = await make_workspace_things(callers, host, MARK)
    async with callers.database.system_transaction() as session:
        workspace_id = UUID(things["workspace_id"])
        session.add(Membership(workspace_id=workspace_id, user_id=caller.id, role=Role.ADMIN))
    await _sent(host.delete(f"/workspaces/{things['workspace_id']}/members/{caller.id}"))
    return things


async def elsewhere(callers: Callers, caller: Caller, _own: Things) -> Things:
    """Of another workspace of the caller's, to which his API token does not reach."""
    return await make_workspace_things(callers, caller, MARK)


async def of_a_deleted_workspace(callers: Callers, caller: Caller, _own: Things) -> Things:
    things = await make_workspace_things(callers, caller, MARK)
    await _sent(caller.delete(f"/workspaces/{things['workspace_id']}"))
    return things


async def of_a_deleted_project(callers: Callers, caller: Caller, own: Things) -> Things:
    things = await of_the_next_project(callers, caller, own)
    await _sent(caller.delete(f"/projects/{things['project_id']}"))
    return things


async def of_the_next_project(callers: Callers, caller: Caller, own: Things) -> Things:
    member = await callers.member(own["workspace_id"])
    return await make_project_things(caller, member, {"id": own["workspace_id"]}, MARK)


async def deleted(callers: Callers, caller: Caller, own: Things) -> Things:
    workspace, project = {"id": own["workspace_id"]}, {"id": own["project_id"]}
    task = await make_task(caller, project, title=f"{MARK} task")
    label = await make_label(caller, project, name=f"{MARK} label")
    status = await make_status(caller, project, name=f"{MARK} status")
    gone_project = await make_project(caller, workspace, name=f"{MARK} project")
    member = await callers.member(workspace["id"])
    related = {"kind": "blocks", "task_id": own["done_task_id"]}
    comment = await make_comment(caller, {"id": own["archived_task_id"]}, body=f"{MARK} words")
    relation = (await _sent(caller.post(f"/tasks/{own['archived_task_id']}/relations", related))).json()
    link = await make_link(caller, {"id": own["task_id"]}, title=f"{MARK} page")
    hook = await make_hook(caller, workspace, name=f"{MARK} hook")
    feed = await make_calendar_feed(caller, workspace, name=f"{MARK} feed")
    report = await make_report(callers.database, caller, project)
    attachment = await make_attachment(caller, {"id": own["task_id"]}, name=f"{MARK}.txt")
    archive = (await _sent(caller.post(f"/workspaces/{workspace['id']}/archives"))).json()
    webhook = await make_webhook(caller, workspace, f"https://example.com/{MARK}")
    ping = (await _sent(caller.post(f"/webhooks/{webhook['id']}/pings"))).json()
    import_ = await make_import(caller, workspace, format="github_archive")
    body = {"email": "withdrawn@example.com", "role": "viewer"}
    invited = (await _sent(caller.post(f"/workspaces/{workspace['id']}/invitations", body))).json()
    for path in (
        f"/tasks/{task['id']}",
        f"/comments/{comment['id']}",
        f"/labels/{label['id']}",
        f"/statuses/{status['id']}",
        f"/projects/{gone_project['id']}",
        f"/workspaces/{workspace['id']}/members/{member.id}",
        f"/tasks/{own['archived_task_id']}/relations/{relation['id']}",
        f"/workspaces/{workspace['id']}/invitations/{invited['id']}",
        f"/attachments/{attachment['id']}",
        f"/webhooks/{webhook['id']}",
        f"/tasks/{own['task_id']}/links/{link['id']}",
        f"/hooks/{hook['id']}",
        f"/imports/{import_['id']}",
        f"/calendar-feeds/{feed['id']}",
        f"/archives/{archive['id']}",
        f"/reports/{report['id']}",
    ):
        await _sent(caller.delete(path))
    tasks = [name for name in own if name.endswith("task_id")]
    return {
        **dict.fromkeys(tasks, task["id"]),
        "comment_id": comment["id"],
        "deleted_comment_id": comment["id"],
        "key": task["key"],
        "label_id": label["id"],
        "label_name": label["name"],
        "status_id": status["id"],
        "status_key": status["key"],
        "project_id": gone_project["id"],
        "other_project_id": gone_project["id"],
        "project_key": gone_project["key"],
        "user_id": str(member.id),
        "username": member.username,
        "api_token_id": await _deleted(
            caller, "/auth/api-tokens", await make_api_token(caller, "tasks:read")
        ),
        "relation_id": relation["id"],
        "invitation_id": invited["id"],
        "link_id": link["id"],
        "hook_id": hook["id"],
        "import_id": import_["id"],
        "checked_import_id": import_["id"],
        "calendar_feed_id": feed["id"],
        "calendar_token": "none of ours",
        "report_id": report["id"],
        "attachment_id": attachment["id"],
        "archive_id": archive["id"],
        "webhook_id": webhook["id"],
        "delivery_id": ping["id"],
        "token": "none of ours",
    }


async def _deleted(caller: Caller, collection: str, thing: dict[str, Any]) -> str:
    """Delete it, and return its id."""
    thing_id: str = thing["id"]
    await _sent(caller.delete(f"{collection}/{thing_id}"))
    return thing_id


async def of_another_kind(_callers: Callers, _caller: Caller, own: Things) -> Things:
    """The caller's own, but not what is asked for."""
    ids = [name for name in own if name.endswith("_id") and name != "job_id"]
    return {name: own["label_id" if "task" in name else "task_id"] for name in ids}


async def _sent(request: Awaitable[Response]) -> Response:
    answer = await request
    assert answer.is_success, answer.text
    return answer


MAKERS: Final[Mapping[str, Maker]] = {
    maker.__name__: maker
    for maker in (
        of_strangers,
        of_those_left,
        elsewhere,
        of_a_deleted_workspace,
        of_a_deleted_project,
        of_the_next_project,
        deleted,
        of_another_kind,
    )
}

OUTSIDE: Final = {"of_strangers", "of_those_left", "elsewhere", "of_a_deleted_workspace"}
"""Those that make it in other workspaces."""
