"""Who follows the changes of a workspace, the copy that can be made of them, and what the API shows."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from .document import Json
from .traffic import Person, Traffic

Copy = dict[tuple[str, str], Json]
"""Resources by kind and id."""

BORROWED = {"username", "name", "version", "updated_at"}
"""Fields of a member that are the user's own: who takes another name is no event of any workspace."""


@dataclass(frozen=True)
class Event:
    workspace_id: str | None
    seq: int
    type: str
    subject_id: str
    actor_id: str | None
    request_id: str
    before: Json | None
    after: Json | None

    @property
    def kind(self) -> str:
        return self.type.partition(".")[0]

    @property
    def verb(self) -> str:
        return self.type.partition(".")[2]

    @property
    def version(self) -> int:
        fields = self.after or self.before or {}
        version: int = fields["version"]
        return version


async def follow(traffic: Traffic, person: Person, workspace_id: str, over: asyncio.Event) -> list[Event]:
    """Read changes as they come, from the first one to what is left when it is over."""
    events: list[Event] = []
    cursor = "0"
    while True:
        is_over = over.is_set()
        page = await traffic.get(person, f"/workspaces/{workspace_id}/changes", cursor=cursor, limit=20)
        events += [event_of(workspace_id, change) for change in page["items"]]
        cursor = page["next_cursor"]
        if not page["items"]:
            if is_over:
                return events
            await asyncio.sleep(0.1)


def event_of(workspace_id: str, change: Json) -> Event:
    fields = {name: change[name] for name in ("seq", "type", "actor_id", "request_id", "before", "after")}
    return Event(workspace_id=workspace_id, subject_id=change["subject"]["id"], **fields)


def replay(events: Iterable[Event], copy: Copy) -> Copy:
    """Bring a copy up to date as whoever reads the feed would, who knows nothing but the verbs."""
    for event in events:
        key = event.kind, event.subject_id
        match event.verb:
            case "created" | "restored":
                assert key not in copy, event
                copy[key] = {**(event.after or {})}
            case "updated":
                copy[key] |= event.after or {}
            case "deleted":
                del copy[key]
            case _:
                raise AssertionError(event)
    return copy


def standing(copy: Copy) -> Copy:
    """What there is of it: what lay in a project or a task that was deleted went with it."""
    inside = {
        key: fields
        for key, fields in copy.items()
        if fields.get("project_id") is None or ("project", fields["project_id"]) in copy
    }
    return {
        (kind, id_): {
            name: fields[name] for name in fields.keys() - (BORROWED if kind == "member" else set())
        }
        for (kind, id_), fields in inside.items()
        if fields.get("task_id") is None or ("task", fields["task_id"]) in inside
    }


async def show(traffic: Traffic, person: Person, workspace_id: str) -> Copy:
    """All that the lists hold of a workspace, for one of its owners."""
    path = f"/workspaces/{workspace_id}"
    projects = await traffic.get_all(person, f"{path}/projects")
    paths = [path, *(f"/projects/{project['id']}" for project in projects)]
    labels = [await traffic.get_all(person, f"{each}/labels") for each in paths]
    tasks = await traffic.get_all(person, f"{path}/tasks", archived="all")
    said = [await traffic.get_all(person, f"/tasks/{task['id']}/comments") for task in tasks]
    shown = {
        "workspace": [await traffic.get(person, path)],
        "project": projects,
        "label": [label for labels_of_one in labels for label in labels_of_one],
        "task": tasks,
        "comment": [as_told(each) for comments in said for each in comments if not each["deleted_at"]],
        "member": await traffic.get_all(person, f"{path}/members"),
        "invitation": await traffic.get_all(person, f"{path}/invitations"),
    }
    return {
        (kind, item.get("id") or item["user_id"]): item for kind, items in shown.items() for item in items
    }


def as_told(comment: Json) -> Json:
    """Without its HTML, which no event has."""
    return {name: value for name, value in comment.items() if name != "body_html"}


async def show_users(traffic: Traffic, admin: Person) -> Copy:
    return {("user", user["id"]): user for user in await traffic.get_all(admin, "/users")}
