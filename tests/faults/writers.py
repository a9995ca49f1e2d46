"""Clients that write as fast as they are answered, and ask again with the same key when they are not."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

import httpx2

from tests.factories.callers import PASSWORD
from tests.processes import until

from .ledger import Answer, Ledger, Write, digest
from .site import Site
from .traffic import CUT_OFF

WRITERS = 16
WORKSPACES = 4
"""Those who write in the same one wait for each other's commits."""
HOT = 2
"""Tasks of each that all writers edit, with the version that they know of."""
WEIGHTS = {
    "task.created": 6,
    "task.updated": 6,
    "task.deleted": 2,
    "comment.created": 2,
    "invitation.created": 2,
}
FOLLOWED = "task.deleted", "comment.created", "invitation.created"
"""Types of the events that the webhook sends."""
SCOPES = (
    *("workspaces:read", "workspaces:write", "projects:read", "tasks:read", "tasks:write"),
    *("changes:read", "webhooks:read", "webhooks:write"),
)
SET_UP = "before-all-else"
"""The X-Request-ID of what was there before."""
PAUSE_SECONDS = 0.05
"""Before somebody who was not answered asks again."""
DEATHS = 1 / 8
"""Share of the requests without an answer that nobody sends again."""


@dataclass(frozen=True)
class Place:
    workspace_id: str
    project_id: str
    hot: Mapping[str, int]
    """Versions of these tasks."""


@dataclass(frozen=True)
class Team:
    """Whom the writers write as, and where; somebody else, `reader`, is told of their comments."""

    token: str
    places: Sequence[Place]


def set_up(address: str, receiver_url: str) -> Team:
    def client(**headers: str) -> httpx2.Client:
        return httpx2.Client(base_url=address, headers={"X-Request-ID": SET_UP} | headers, timeout=30)

    def sign_up(name: str) -> httpx2.Client:
        person = {"email": f"{name}@example.com", "username": name, "name": name, "password": PASSWORD}
        ask(nobody, "/auth/register", json=person)
        form = {"username": name, "password": PASSWORD}
        token = ask(nobody, "/auth/token", data=form)["access_token"]
        return client(Authorization=f"Bearer {token}")

    def make(path: str, **body: object) -> Any:
        return ask(api, path, json=body)

    def make_place(number: int) -> Place:
        workspace = make("/workspaces", name="W", slug=f"w{number}")["id"]
        invited = {"email": "reader@example.com", "role": "member"}
        token = make(f"/workspaces/{workspace}/invitations", **invited)["token"]
        ask(reader, "/invitations/accept", json={"token": token})
        project = make(f"/workspaces/{workspace}/projects", name="P", key="OPS")["id"]
        tasks = [make(f"/projects/{project}/tasks", title=f"Task {n}") for n in range(HOT)]
        make(f"/workspaces/{workspace}/webhooks", url=receiver_url, events=FOLLOWED)
        return Place(workspace, project, {task["id"]: task["version"] for task in tasks})

    with client() as nobody, sign_up("writer") as api, sign_up("reader") as reader:
        places = [make_place(number) for number in range(WORKSPACES)]
        return Team(make("/auth/api-tokens", name="writers", scopes=SCOPES)["token"], places)


def ask(api: httpx2.Client, path: str, **body: Any) -> Any:
    """Ask until it is done: with a planted fault an answer may come before what it tells of."""

    def answer() -> Any:
        response = api.post(path, **body)
        return response.json() if response.is_success else None

    return until(answer)


class Writers:
    def __init__(
        self, site: Site, client: httpx2.AsyncClient, team: Team, ledger: Ledger, rng: Random
    ) -> None:
        self._site = site
        self._client = client
        self._team = team
        self._ledger = ledger
        self._rng = rng
        self._versions = {task: version for place in team.places for task, version in place.hot.items()}
        self._own: list[str] = []
        """Tasks that were made and are not hot."""
        self._numbers = count(1)
        self._answered = 0

    async def write(self, over: asyncio.Event) -> None:
        while not over.is_set():
            write = self._compose()
            self._ledger.ask(write)
            answer = await self._carry_out(write)
            if answer is not None:
                await self._ledger.take_down(answer)
                self._answered += 1

    async def until_answered(self, more: int) -> None:
        enough = self._answered + more
        while self._answered < enough:
            await asyncio.sleep(0.01)

    def _compose(self) -> Write:
        kind = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        place = self._rng.randrange(len(self._team.places))
        key = f"{kind.replace('.', '-')}-{next(self._numbers)}"
        match kind:
            case "task.updated":
                task_id = self._rng.choice(list(self._versions))
                return Write(key, kind, task_id, self._versions[task_id])
            case "comment.created":
                return Write(key, kind, self._rng.choice(list(self._versions)))
            case "task.deleted" if self._own:
                return Write(key, kind, self._own.pop(self._rng.randrange(len(self._own))))
            case "invitation.created":
                return Write(key, kind, place=place)
        return Write(key, "task.created", place=place)

    async def _carry_out(self, write: Write) -> Answer | None:
        """Ask until there is an answer that says what became of it; None: the client died before."""
        for tries in count(1):
            try:
                response = await self._send(write)
            except CUT_OFF:
                response = None
            if response is not None and "Retry-After" not in response.headers:
                return self._learn(write, response, tries)
            if tries == 1 and self._rng.random() < DEATHS:
                return None
            await asyncio.sleep(PAUSE_SECONDS)
        return None

    async def _send(self, write: Write) -> httpx2.Response:
        place = self._team.places[write.place]
        method, path, body = {
            "task.created": (
                *("POST", f"/projects/{place.project_id}/tasks"),
                {"title": write.key, "description": write.key},
            ),
            "task.updated": ("PATCH", f"/tasks/{write.task_id}", {"title": write.key}),
            "task.deleted": ("DELETE", f"/tasks/{write.task_id}", None),
            "comment.created": ("POST", f"/tasks/{write.task_id}/comments", {"body": f"@reader {write.key}"}),
            "invitation.created": (
                *("POST", f"/workspaces/{place.workspace_id}/invitations"),
                {"email": f"{write.key}@example.com", "role": "member"},
            ),
        }[write.type]
        headers = {"Authorization": f"Bearer {self._team.token}", "X-Request-ID": write.key}
        if method == "POST":
            headers["Idempotency-Key"] = write.key
        if write.if_match is not None:
            headers["If-Match"] = f'"{write.if_match}"'
        address = self._rng.choice(list(self._site.addresses.values()))
        return await self._client.request(method, address + path, headers=headers, json=body)

    def _learn(self, write: Write, response: httpx2.Response, tries: int) -> Answer:
        content: dict[str, Any] = response.json() if response.content else {}
        status = response.status_code
        if not response.is_success:
            if write.task_id and (tag := content["error"].get("details", {}).get("current_etag")):
                self._versions[write.task_id] = int(tag.strip('"'))
            return Answer(write.key, status, tries)
        if write.type == "task.deleted":
            return Answer(write.key, status, tries, write.task_id)
        if write.type == "task.created":
            self._own.append(content["id"])
        if write.type == "task.updated":
            self._versions[content["id"]] = content["version"]
        return Answer(write.key, status, tries, content["id"], content["version"], digest(content))
