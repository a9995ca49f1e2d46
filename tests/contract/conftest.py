"""The running app: a real server on a database of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from httpx2 import Response
from schemathesis.pytest.plugin import SchemathesisFunction
from sqlalchemy.ext.asyncio import AsyncEngine

from glasswork.app import create_app
from glasswork.core.settings import Settings
from tests.conftest import RolledBackDatabase, make_client, make_settings, rolled_back
from tests.data_dirs import empty_data_dir
from tests.databases import SERVING, Server
from tests.declared import operation_of
from tests.factories.callers import PASSWORD, Callers
from tests.features.identities.provider import Provider, knowing
from tests.installations import IS_CLUSTER, cluster

from .fuzzing import OPERATIONS

ENDINGS = ("DELETE ", "/archive", "/transfer", "/move")
"""Of an operation's label: after it, the things of its path are not what they were."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Its cases are made when they are collected, for seconds, whether they run or not."""
    is_left_out = collection_path.name == "test_limits.py" and "not slow" in config.getoption("markexpr")
    return is_left_out or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the items that schemathesis makes of a test ids of their own: workers share tests out by id."""
    for item in items:
        if isinstance(item, SchemathesisFunction) and item.parent:
            item._id = item.parent.id.child(item.name)  # noqa: SLF001 (pytest 9.2 forgets the name)


@pytest.fixture(scope="session")
def live_settings(server: Server) -> Iterator[Settings]:
    with asyncio.Runner() as runner:
        clone = server.clone()
        name = runner.run(clone.__aenter__())
        # As short as the document says: the operator's longer minimum cannot stand in it.
        yield make_settings(server.url(SERVING, name), password_min_length=8)
        runner.run(clone.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def live(live_settings: Settings) -> Iterator[str]:
    """Yield its address; Ada and Bob have accounts there."""
    with deployed(live_settings) if IS_CLUSTER else running(live_settings) as base_url:
        for username in ("ada", "bob"):
            sign_up(base_url, username)
        yield base_url


@contextmanager
def deployed(settings: Settings) -> Iterator[str]:
    environment = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "JWT_SECRET": settings.jwt_secret.get_secret_value(),
        "RATE_LIMIT_ENABLED": "false",
        "PASSWORD_MIN_LENGTH": str(settings.password_min_length),
        "ATTACHMENT_MAX_BYTES": str(settings.attachment_max_bytes),
    }
    with empty_data_dir() as data_dir, cluster(data_dir, **environment) as installation:
        yield installation.base_url


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    started = Event()

    class AnnouncedServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app(settings)
        app.state.hub.end()  # streams end where they begin
        uvicorn_server = AnnouncedServer(uvicorn.Config(app, log_config=None))
        thread = Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert started.wait(timeout=20)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        uvicorn_server.should_exit = True
        thread.join(timeout=10)


def sign_up(base_url: str, username: str) -> None:
    account = {
        "email": f"{username}@example.com",
        "username": username,
        "name": username.title(),
        "password": PASSWORD,
    }
    assert httpx2.post(f"{base_url}/api/v1/auth/register", json=account).status_code == 201


@pytest.fixture(scope="session")
async def acme(app: FastAPI) -> AsyncIterator[None]:
    """The shared app knows a provider of identities."""
    provider = Provider()
    await provider.start()
    async with knowing(app, provider):
        yield
    await provider.stop()


@pytest.fixture(scope="module")
async def shared_database(app: FastAPI, engine: AsyncEngine) -> AsyncIterator[RolledBackDatabase]:
    """For a module whose tests begin with the same, and roll back what they do to it."""
    async with rolled_back(engine) as database:
        app.state.database = database
        yield database


@pytest.fixture(scope="module")
async def shared_callers(app: FastAPI, shared_database: RolledBackDatabase) -> AsyncIterator[Callers]:
    """Whatever they are answered fits what the document says of it."""

    async def ensure_fitting(response: Response) -> None:
        await response.aread()
        if name := operation_of(app, response).get("operationId"):
            OPERATIONS[name].validate_response(response)

    async with make_client(app) as client:
        client.event_hooks["response"].append(ensure_fitting)
        yield Callers(client, shared_database, app.state.keys)


@pytest.fixture
def username(request: pytest.FixtureRequest) -> str:
    """Whose sessions may end by it: Ada's, or nobody's who is Bob."""
    operation: str = request.node.operation_label
    return "ada" if "/auth/" in operation or "/users/" in operation else "bob"


@pytest.fixture
def headers(request: pytest.FixtureRequest, live: str, username: str) -> dict[str, str]:
    if username == "ada":
        return log_in(live, username)
    lasting: dict[str, str] = request.getfixturevalue("lasting_headers")
    return lasting


@pytest.fixture
def ids(request: pytest.FixtureRequest, live: str, username: str, headers: dict[str, str]) -> dict[str, Any]:
    """Things that are there, by the names that path parameters give them; new ones for what ends them."""
    operation: str = request.node.operation_label
    if "{" in operation and any(each in operation for each in ENDINGS):
        return make_ids(live, username, headers)
    lasting: dict[str, Any] = request.getfixturevalue("lasting_ids")
    return lasting


@pytest.fixture(scope="session")
def lasting_headers(live: str) -> dict[str, str]:
    return log_in(live, "bob")


@pytest.fixture(scope="session")
def lasting_ids(live: str, lasting_headers: dict[str, str]) -> dict[str, Any]:
    return make_ids(live, "bob", lasting_headers)


def log_in(base_url: str, username: str) -> dict[str, str]:
    form = {"username": f"{username}@example.com", "password": PASSWORD}
    answer = httpx2.post(f"{base_url}/api/v1/auth/token", data=form)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def put_file(client: httpx2.Client, task_id: str) -> Any:
    answer = client.put(f"/tasks/{task_id}/attachments", params={"name": "a.txt"}, content=b"words")
    return answer.json()["id"]


def make_ids(base_url: str, username: str, headers: dict[str, str]) -> dict[str, Any]:
    with httpx2.Client(base_url=f"{base_url}/api/v1", headers=headers) as client:

        def make(path: str, **body: Any) -> Any:
            answer = client.post(path, json=body)
            assert answer.status_code in {201, 202}, answer.text
            return answer.json()

        workspace = make("/workspaces", name="Contract", slug=f"w{uuid4().hex}")
        path = f"/workspaces/{workspace['id']}"
        project = make(f"{path}/projects", name="Contract", key="OPS")
        client.post("/auth/token", data={"username": f"{username}@example.com", "password": PASSWORD})
        sessions = client.get("/auth/sessions").json()["items"]
        tasks = [make(f"/projects/{project['id']}/tasks", title="Contract")["id"] for _ in range(2)]
        related = {"kind": "relates", "task_id": tasks[1]}
        webhook = make(f"{path}/webhooks", url="https://example.com/contract")
        statuses = client.get(f"/projects/{project['id']}/statuses").json()["items"]
        return {
            "session_id": next(each["id"] for each in sessions if not each["is_current"]),
            "workspace_id": workspace["id"],
            "project_id": project["id"],
            "user_id": workspace["created_by"],
            "invitation_id": make(f"{path}/invitations", email="carol@example.com", role="member")["id"],
            "announcement_id": make(f"{path}/announcements", subject="News", body="Contract")["id"],
            "status_id": statuses[1]["id"],
            "label_id": make(f"/projects/{project['id']}/labels", name="bug")["id"],
            "api_token_id": make("/auth/api-tokens", name="script", scopes=["tasks:read"])["id"],
            "identity_id": str(uuid4()),  # none can be made without a provider
            "provider": "acme",
            "task_id": tasks[0],
            "relation_id": make(f"/tasks/{tasks[0]}/relations", **related)["id"],
            "link_id": make(f"/tasks/{tasks[0]}/links", url="https://example.com")["id"],
            "hook_id": make(f"{path}/hooks", kind="github", name="H")["id"],
            "import_id": make(f"{path}/imports", format="github_archive")["id"],
            "calendar_feed_id": make(f"{path}/calendar-feeds", name="F")["id"],
            "calendar_token": "none-of-ours",
            "attachment_id": put_file(client, tasks[0]),
            "archive_id": make(f"{path}/archives")["id"],
            "token": "none-of-ours",
            "notification_id": str(uuid4()),  # none comes of what one does oneself
            "comment_id": make(f"/tasks/{tasks[0]}/comments", body="Contract")["id"],
            "reaction": "heart",
            "key": "OPS-1",
            "report_id": make(f"{path}/reports", first_day="2026-03-02", last_day="2026-03-08")["id"],
            "kind": "burn_up",
            "format": "svg",
            "webhook_id": webhook["id"],
            "delivery_id": make(f"/webhooks/{webhook['id']}/pings")["id"],
            "job_id": 1,
        }
