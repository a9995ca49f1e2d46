"""A workspace with a row in every table that an archive has."""

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.announcements.jobs import SEND_ANNOUNCEMENT
from glasswork.features.notifying.jobs import NOTIFY, NOTIFY_INVITED
from glasswork.features.workspaces.models import Role
from tests.contract.things import make_workspace_things
from tests.factories.callers import PASSWORD, Caller, Callers
from tests.factories.files import make_attachment, picture
from tests.factories.tracker import make_comment, make_project, make_status, make_task
from tests.factories.work import work_off

PICTURE = picture(16)


@dataclass(frozen=True)
class Everything:
    owner: Caller
    workspace_id: str
    project_id: str
    task_id: str
    attachment_id: str

    @property
    def paths(self) -> list[tuple[str, dict[str, Any]]]:
        """Of lists that show all there is, with their queries."""
        workspace, task = f"/workspaces/{self.workspace_id}", f"/tasks/{self.task_id}"
        return [
            (workspace, {}),
            *((f"{workspace}/{part}", {"limit": 100}) for part in ("members", "projects", "labels", "tasks")),
            *((f"{workspace}/{part}", {"limit": 100}) for part in ("announcements", "changes", "audit")),
            (f"/projects/{self.project_id}/board", {}),
            *((f"/projects/{self.project_id}/{part}", {"limit": 100}) for part in ("statuses", "labels")),
            (task, {}),
            *((f"{task}/{part}", {}) for part in ("comments", "attachments", "links", "history", "subtasks")),
            (f"{workspace}/search", {"q": "zebra"}),
        ]


async def make_everything(app: FastAPI, database: Database, callers: Callers, owner: Caller) -> Everything:
    things = await make_workspace_things(callers, owner, "my")
    workspace = {"id": things["workspace_id"]}
    gone, left = [await callers.member(workspace["id"], Role.ADMIN) for _ in range(2)]
    invited = await callers.user()
    project = await make_project(owner, workspace, key="ALL")
    task = await make_work(owner, project, left)
    await make_talk(owner, gone, left, task)
    elsewhere = await make_task(left, project)
    await owner.post(f"/tasks/{elsewhere['id']}/move", {"project_id": things["project_id"]})
    trashed = await make_project(gone, workspace, key="GONE")
    await make_task(gone, trashed)
    await owner.delete(f"/projects/{trashed['id']}")
    invitation = {"email": invited.email, "role": "member"}
    await owner.post(f"/workspaces/{workspace['id']}/invitations", invitation)
    wish = {"kind": "watched", "project_id": project["id"], "in_app": True, "mail": "none"}
    await owner.put("/notifications/preferences", {"time_zone": "UTC", "preferences": [wish]})
    await work_off(app, database, SEND_ANNOUNCEMENT, NOTIFY, NOTIFY_INVITED)
    await owner.delete(f"/workspaces/{workspace['id']}/members/{left.id}")
    assert (await gone.request("DELETE", "/users/me", json={"password": PASSWORD})).status_code == 204
    attachment = await make_attachment(owner, task, name="Ünï.png", content=PICTURE)
    return Everything(owner, workspace["id"], project["id"], task["id"], attachment["id"])


async def make_work(owner: Caller, project: dict[str, Any], member: Caller) -> dict[str, Any]:
    """Return a task with all of its fields, whose parent was made after it."""
    after = await make_status(owner, project, key="after")
    first = (await owner.get(f"/projects/{project['id']}/statuses")).json()["items"][0]
    changed = await owner.patch(f"/statuses/{first['id']}", {"next": [after["key"]]})
    assert changed.status_code == 200, changed.text
    task = await make_task(
        owner,
        project,
        title='A zebra 🦓 with "quotes", \\ and \u2028',
        description="Line 1\nline 2\ttab",
        priority="high",
        assignee_id=str(member.id),
        due_at="2031-01-06T09:00:00.123456Z",
        start_at="2031-01-05T09:00:00Z",
        estimate_minutes=90,
        recurrence={"rule": "FREQ=WEEKLY;BYDAY=MO", "time_zone": "Europe/Berlin"},
    )
    parent = await make_task(owner, project)
    moved = await owner.patch(f"/tasks/{task['id']}", {"parent_id": parent["id"]})
    assert moved.status_code == 200, moved.text
    return task


async def make_talk(owner: Caller, gone: Caller, left: Caller, task: dict[str, Any]) -> None:
    """A comment and a reaction of somebody who is gone, and a mention of, and a reply by, who has left."""
    asked = await make_comment(gone, task, body=f"What does @{left.username} say?")
    await make_comment(left, task, body=f"Ask @{owner.username}.", reply_to_id=asked["id"])
    await gone.put(f"/comments/{asked['id']}/reactions/eyes")
