"""Who may look at the operations page, what it answers, and that looking is written down."""

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import text

from glasswork.app import create_app
from glasswork.features.accounts.models import SystemRole
from tests.conftest import SECRET, make_client, make_settings
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_workspace

pytestmark = pytest.mark.anyio

VIEWS = [
    "stream",
    "history",
    "routes",
    "requests",
    "requests/abcdefgh",
    "jobs",
    "mail",
    "database",
    "loggers",
]
NOWHERE = "postgresql+asyncpg://nobody@nowhere/nothing"


@pytest.fixture
async def committing_admin(committing_callers: Callers) -> Caller:
    return await committing_callers.user(SystemRole.ADMIN)


async def ask(caller: Caller, path: str, method: str = "GET", **options: Any) -> Response:
    headers = {"Authorization": f"Bearer {caller.token}"}
    return await caller.client.request(method, f"/ops/api/{path}", headers=headers, **options)


async def seen(callers: Callers) -> list[tuple[str, dict[str, Any]]]:
    """What was written down of who looked."""
    statement = text("SELECT type, after FROM installation_events WHERE type LIKE 'operations.%' ORDER BY id")
    async with callers.database.reading() as session:
        return [(row.type, row.after) for row in await session.execute(statement)]


class TestWhoMayLook:
    @pytest.mark.parametrize("path", VIEWS)
    async def test_nobody_without_a_token(self, callers: Callers, path: str) -> None:
        answer = await callers.client.get(f"/ops/api/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_TOKEN")

    @pytest.mark.parametrize("path", VIEWS)
    async def test_a_member_is_told_that_there_is_nothing(self, callers: Callers, path: str) -> None:
        answer = await ask(await callers.user(), path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
        assert await seen(callers) == []

    async def test_a_member_changes_no_level(self, callers: Callers) -> None:
        answer = await ask(await callers.user(), "loggers/root", "PUT", json={"level": "debug"})
        assert answer.status_code == 404

    async def test_an_admin_may_until_the_session_ends(self, admin: Caller, callers: Callers) -> None:
        assert (await ask(admin, "routes")).status_code == 200
        assert await seen(callers) == [("operations.viewed", {"view": "routes", "request_id": None})]
        await admin.post("/auth/logout")
        assert (await ask(admin, "routes")).status_code == 401

    @pytest.mark.parametrize(
        ("environment", "ops_page", "is_there"),
        [
            ("development", "auto", True),
            ("staging", "auto", True),
            ("production", "auto", False),
            ("production", "on", True),
            ("development", "off", False),
        ],
    )
    async def test_there_is_one_where_the_settings_say_so(
        self, environment: str, ops_page: str, is_there: bool
    ) -> None:
        app = create_app(make_settings(NOWHERE, environment=environment, ops_page=ops_page))
        async with make_client(app) as client:
            for path in ("/ops", "/ops/assets/ops.js", "/ops/api/routes"):
                assert ((await client.get(path)).status_code != 404) is is_there
        assert (app.state.signals.recorder is not None) is is_there


class TestShell:
    async def test_holds_nothing_and_lets_nothing_in(self, client: AsyncClient) -> None:
        answer = await client.get("/ops")
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert SECRET not in answer.text

    @pytest.mark.parametrize(
        "path", ["../service.py", "%2e%2e/service.py", "..%2fservice.py", "uplot/../../router.py"]
    )
    async def test_serves_its_own_files_only(self, client: AsyncClient, path: str) -> None:
        assert (await client.get("/ops/assets/ops.js")).headers["Content-Type"].startswith("text/javascript")
        assert (await client.get(f"/ops/assets/{path}")).status_code == 404

    async def test_brings_a_library_along_as_it_was_published(self) -> None:
        folder = files("glasswork.features.operations") / "page" / "uplot"
        manifest = json.loads((folder / "MANIFEST.json").read_text())
        names = {"uPlot.iife.min.js", "uPlot.min.css", "LICENSE"}
        assert {each.name for each in folder.iterdir()} == {*names, "MANIFEST.json"}
        hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
        assert hashes == manifest["sha256"]

    async def test_is_not_in_the_contract(self, app: FastAPI) -> None:
        assert not any(path.startswith("/ops") for path in app.openapi()["paths"])


async def register(client: AsyncClient, name: str = "bob") -> Response:
    new = {"email": f"{name}@example.com", "username": name, "name": "Bob", "password": "short"}
    return await client.post("/api/v1/auth/register", json=new)


class TestRequests:
    async def test_a_failed_one_is_found_by_the_id_in_its_answer(
        self, admin: Caller, callers: Callers
    ) -> None:
        refused = await register(admin.client)
        request_id = refused.json()["error"]["request_id"]
        (summary,) = (await ask(admin, "requests", params={"request_id": request_id})).json()["items"]
        assert (summary["title"], summary["status"], summary["error_code"]) == (
            "POST /api/v1/auth/register",
            422,
            "VALIDATION_ERROR",
        )
        whole = (await ask(admin, f"requests/{request_id}")).json()
        (entry,) = whole["entries"]
        assert entry["error"]["code"] == "VALIDATION_ERROR"
        assert entry["error"]["details"]["errors"][0]["loc"] == ["body", "password"]
        assert [span["kind"] for span in entry["spans"]] == ["server"]
        assert entry["fields"]["duration_ms"] > 0
        views = [after for _, after in await seen(callers)]
        assert views[1] == {"view": "request", "request_id": request_id}

    async def test_its_statements_are_there_without_their_values(self, committing_admin: Caller) -> None:
        workspace = await make_workspace(committing_admin)
        answer = await committing_admin.get(f"/workspaces/{workspace['id']}")
        whole = (await ask(committing_admin, f"requests/{answer.headers['X-Request-ID']}")).json()
        statements = [span["sql"] for span in whole["entries"][0]["spans"] if span["sql"]]
        assert statements
        assert "$1" in statements[0]
        assert workspace["slug"] not in json.dumps(whole)

    async def test_one_that_nobody_remembers(self, admin: Caller) -> None:
        answer = await ask(admin, "requests/nobody-knows-it")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "REQUEST_NOT_KEPT")

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, {200, 401, 422}),
            ({"status": "422"}, {422}),
            ({"status": "4xx"}, {401, 422}),
            ({"route": "/users/me"}, {200, 401}),
            ({"list": "failed"}, set()),
            ({"list": "slow", "status": "401"}, {401}),
        ],
    )
    async def test_are_listed_by_what_is_asked_for(
        self, admin: Caller, query: dict[str, str], expected: set[int]
    ) -> None:
        await register(admin.client)
        await admin.client.get("/api/v1/users/me")
        await admin.get("/users/me")
        answer = await ask(admin, "requests", params=query)
        assert {item["status"] for item in answer.json()["items"]} == expected

    async def test_those_of_one_user(self, admin: Caller, callers: Callers) -> None:
        other = await callers.user()
        for caller in (admin, other, other):
            await caller.get("/users/me")
        items = (await ask(admin, "requests", params={"user_id": str(other.id)})).json()["items"]
        assert [item["user_id"] for item in items] == [str(other.id)] * 2

    @pytest.mark.parametrize(
        "query", [{"list": "all"}, {"status": "otter"}, {"limit": "0"}, {"user_id": "bob"}, {"otter": "1"}]
    )
    async def test_what_makes_no_sense_is_refused(self, admin: Caller, query: dict[str, str]) -> None:
        assert (await ask(admin, "requests", params=query)).status_code == 422

    async def test_the_page_tells_nothing_of_itself(self, admin: Caller) -> None:
        await ask(admin, "routes")
        await admin.client.get("/ops")
        await admin.client.get("/health")
        assert (await ask(admin, "requests")).json()["items"] == []


class TestNumbers:
    async def test_routes_have_those_that_metrics_have(self, admin: Caller, app: FastAPI) -> None:
        labels = {
            "http_request_method": "GET",
            "http_route": "/api/v1/users/me",
            "http_response_status_code": "200",
        }

        def counted() -> float:
            registry = app.state.signals.metrics.registry
            return registry.get_sample_value("http_server_requests_total", labels) or 0

        before = counted()
        for _ in range(3):
            await admin.get("/users/me")
        await admin.get("/users/nobody")
        items = (await ask(admin, "routes")).json()["items"]
        assert {(item["route"], item["requests"]) for item in items} == {
            ("/api/v1/users/me", 3),
            ("/api/v1/users/{user_id}", 1),
        }
        assert counted() - before == 3

    async def test_the_stream_tells_them_every_second(
        self, committing_admin: Caller, committing_app: FastAPI
    ) -> None:
        await committing_admin.get("/users/me")
        async with committing_app.state.frames._frames.watching() as frames:  # noqa: SLF001 (the client cannot read a stream)
            frame = json.loads((await anext(frames)).removeprefix(b"data: "))
        assert frame["totals"]["requests"] == 1
        assert frame["jobs"] == {"waiting": 0, "retrying": 0, "running": 0, "dead": 0, "oldest_seconds": 0}
        assert frame["deliveries"] == {"waiting": 0, "retrying": 0, "oldest_seconds": 0}
        (instance,) = frame["instances"]
        assert (instance["role"], instance["status"], instance["pool_max"]) == ("api", "ok", 20)


class TestLevels:
    @pytest.fixture(autouse=True)
    def _as_before(self) -> Iterator[None]:
        """No event loop lives long enough to set it back."""
        logger = logging.getLogger("glasswork.requests")
        yield
        logger.setLevel(logging.NOTSET)

    async def test_are_set_for_a_while_and_written_down(self, admin: Caller, callers: Callers) -> None:
        answer = await ask(admin, "loggers/glasswork.requests", "PUT", json={"level": "debug"})
        assert answer.status_code == 204
        items = (await ask(admin, "loggers")).json()["items"]
        (level,) = (item for item in items if item["name"] == "glasswork.requests")
        assert level["level"] == "DEBUG"
        assert level["until"]
        written = await seen(callers)
        assert ("operations.level_set", {"logger": "glasswork.requests", "level": "debug"}) in written

    async def test_of_nobody_are_refused(self, admin: Caller, callers: Callers) -> None:
        answer = await ask(admin, "loggers/nobody.has.this", "PUT", json={"level": "debug"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "LOGGER_NOT_FOUND")
        assert await seen(callers) == []

    @pytest.mark.parametrize("body", [{}, {"level": "loud"}, {"level": "debug", "otter": 1}])
    async def test_of_another_name_are_refused(self, admin: Caller, body: Any) -> None:
        assert (await ask(admin, "loggers/root", "PUT", json=body)).status_code == 422


async def test_kept_mail_is_shown_the_newest_first(admin: Caller, callers: Callers) -> None:
    statement = text(
        "INSERT INTO kept_mails (job_id, recipient, subject, body) VALUES (:id, 'a@b.example', :subject, 'b')"
    )
    async with callers.database.transaction() as session:
        for number in (1, 2):
            await session.execute(statement, {"id": number, "subject": f"letter {number}"})
    items = (await ask(admin, "mail")).json()["items"]
    assert [item["subject"] for item in items] == ["letter 2", "letter 1"]


@pytest.fixture
async def other_session(committing_app: FastAPI) -> AsyncIterator[int]:
    """Somebody who has typed a value, and goes on holding a lock."""
    async with committing_app.state.database.engine.connect() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(4711), 'a secret'"))
        yield connection.sync_connection.connection.driver_connection.get_server_pid()


async def test_sessions_of_the_database_are_shown_without_values(
    committing_admin: Caller, other_session: int
) -> None:
    items = (await ask(committing_admin, "database")).json()["items"]
    (session,) = (item for item in items if item["pid"] == other_session)
    assert session["state"] == "idle in transaction"
    assert session["blocked_by"] == []
    assert "a secret" not in json.dumps(items)
    assert "4711" not in json.dumps([item["query"] for item in items])


async def test_the_log_tells_of_the_page_what_fails_and_nothing_else(
    admin: Caller, app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert (await ask(admin, "routes")).status_code == 200
    assert [record.name for record in caplog.records if record.name.startswith("glasswork")] == []
    app.state.peers = None
    assert (await ask(admin, "routes")).status_code == 500
    assert [record.name for record in caplog.records if record.name.startswith("glasswork")] == [
        "glasswork.requests"
    ]
