"""What callers do all day, as requests that differ in what they are about."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from urllib.parse import urlencode

from recorded import API, PAGE, write_cursor
from stand import ACTOR, PASSWORD, SEED, USERNAME, Place

VARIETY = 200
"""Different requests of a journey at most."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    """With its query."""
    values: Mapping[str, object] = field(default_factory=dict)
    """What it asks about, by name: these differ from request to request."""
    body: str | None = None


@dataclass(frozen=True)
class Journey:
    name: str
    title: str
    requests: Callable[[Place, str], Sequence[Request]]
    """Of a place; given is the fingerprint that cursors of a project's list begin with."""
    content_type: str = "application/json"
    writes: bool = False
    connections: int = 32


def _get_task(place: Place, _: str) -> list[Request]:
    return [
        Request("GET", f"{API}/tasks/{target.task_id}", {"task_id": target.task_id})
        for target in place.targets
    ]


def _list(place: Place, fingerprint: str) -> list[Request]:
    """A page somewhere in a project's list, by default the newest first."""
    requests = []
    for target in place.targets:
        at = target.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        cursor = write_cursor([fingerprint, at, str(target.task_id)])
        path = f"{API}/projects/{target.project_id}/tasks?cursor={cursor}"
        values = {"project_id": target.project_id, "sort_0": at, "sort_1": target.task_id}
        requests.append(Request("GET", path, values))
    return requests


def _filtered(place: Place, _: str) -> list[Request]:
    return [
        Request(
            "GET",
            f"{API}/workspaces/{place.workspace_id}/tasks?assignee_id={member}&status=todo",
            {"assignee_id": member},
        )
        for member in place.members
        if member != ACTOR.user_id  # whose id stands in the statement anyway
    ]


def _search(place: Place, _: str) -> list[Request]:
    """By two words of a task's title."""
    requests = []
    for target in place.targets[:: max(len(place.targets) // VARIETY, 1)][:VARIETY]:
        words = " ".join(target.title.split()[1:3])
        path = f"{API}/workspaces/{place.workspace_id}/search?{urlencode({'q': words})}"
        requests.append(Request("GET", path, {"q": words}))
    return requests


def _board(place: Place, _: str) -> list[Request]:
    return [
        Request("GET", f"{API}/projects/{project_id}/board", {"project_id": project_id})
        for project_id in place.projects
    ]


def _changes(place: Place, _: str) -> list[Request]:
    most = len(place.targets)
    return [
        Request(
            "GET", f"{API}/workspaces/{place.workspace_id}/changes?cursor={seq}&limit={PAGE}", {"seq": seq}
        )
        for seq in range(PAGE + 2, most, max(most // VARIETY, 1))
    ]


def _create(place: Place, _: str) -> list[Request]:
    return [
        Request("POST", f"{API}/projects/{project_id}/tasks", body='{"title":"Bench it"}')
        for project_id in place.projects
    ]


def _patch(place: Place, _: str) -> list[Request]:
    rng = random.Random(SEED)  # noqa: S311 (no secret)
    return [
        Request(
            "PATCH",
            f"{API}/tasks/{target.task_id}",
            body=f'{{"estimate_minutes":{rng.randrange(1_000_000)}}}',
        )
        for target in place.targets
    ]


def _log_in(_: Place, __: str) -> list[Request]:
    form = urlencode({"username": USERNAME, "password": PASSWORD})
    return [Request("POST", f"{API}/auth/token", body=form)]


JOURNEYS = (
    Journey("get", "get a task", _get_task),
    Journey("list", "list 50 tasks", _list),
    Journey("filtered", "filtered list", _filtered),
    Journey("search", "search", _search),
    Journey("board", "board", _board),
    Journey("changes", "changes feed", _changes),
    Journey("create", "create a task", _create, writes=True),
    Journey("patch", "patch a task", _patch, writes=True),
    Journey("login", "log in", _log_in, "application/x-www-form-urlencoded", writes=True, connections=4),
)
READS = tuple(journey for journey in JOURNEYS if not journey.writes)
