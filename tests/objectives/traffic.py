"""What callers do in a minute: something of everything, and a few mistakes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Thread
from typing import Any

import httpx2

from tests.factories.callers import PASSWORD

_numbers = count(1)


@dataclass
class Caller:
    client: httpx2.Client
    hook: str
    """Where changes are sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    task: str = ""

    def settle_in(self) -> None:
        """Open an account, and make what later calls are about."""
        number = next(_numbers)
        name = f"caller{number}"
        account = {"email": f"{name}@example.com", "username": name, "name": name, "password": PASSWORD}
        self.post("/auth/register", account)
        credentials = {"username": name, "password": PASSWORD}
        token = self.client.post("/api/v1/auth/token", data=credentials).json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}
        workspace = self.post("/workspaces", {"name": name, "slug": name})["id"]
        self.post(f"/workspaces/{workspace}/webhooks", {"url": self.hook})
        self.project = self.post(f"/workspaces/{workspace}/projects", {"name": name, "key": "OPS"})["id"]
        self.task = self.post(f"/projects/{self.project}/tasks", {"title": "Port 8080 is open"})["id"]

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.client.post(f"/api/v1{path}", json=body, headers=self.headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def work(self) -> None:
        made = self.post(f"/projects/{self.project}/tasks", {"title": "Write the handbook"})
        self.read()
        self.write()
        self.client.put(f"/api/v1/tasks/{made['id']}/completion", headers=self.headers)
        self.client.delete(f"/api/v1/tasks/{made['id']}", headers=self.headers)
        self.client.get("/api/v1/jobs", headers=self.headers)
        self.client.get("/nowhere")

    def read(self) -> int:
        return self.client.get(f"/api/v1/projects/{self.project}/tasks", headers=self.headers).status_code

    def write(self) -> int:
        body = {"title": f"Port {next(_numbers)} is open"}
        return self.client.patch(f"/api/v1/tasks/{self.task}", json=body, headers=self.headers).status_code


@contextmanager
def working(caller: Caller) -> Iterator[None]:
    """Let the caller work all the time."""
    caller.settle_in()
    with again_and_again(caller.work):
        yield


@contextmanager
def again_and_again(call: Callable[[], object], pause: float = 0.1) -> Iterator[None]:
    done = Event()

    def run() -> None:
        while not done.wait(pause):
            call()

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
