import json
import logging
import sys
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from glasswork.app import create_app
from glasswork.core.db import Database
from glasswork.core.settings import Settings
from tests.conftest import make_client
from tests.factories.callers import Callers

from .conftest import Log

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def logged_app(settings: Settings) -> FastAPI:
    async def bug() -> None:
        password = "tremendous otter 77"
        raise RuntimeError("a bug", len(password))

    app = create_app(settings)
    app.add_api_route("/bug", bug)
    return app


@pytest.fixture
async def client(logged_app: FastAPI, database: Database) -> AsyncIterator[AsyncClient]:
    logged_app.state.database = database
    async with make_client(logged_app) as client:
        yield client


class TestRequestLine:
    async def test_says_what_was_asked_and_answered(self, callers: Callers, log: Log) -> None:
        user = await callers.user()
        response = await user.get("/users/me")
        (line,) = log.lines("glasswork.requests")
        assert line == {
            "event": "http.request",
            "level": "info",
            "logger": "glasswork.requests",
            "timestamp": line["timestamp"],
            "request_id": response.headers["X-Request-ID"],
            "trace_id": line["trace_id"],
            "method": "GET",
            "route": "/api/v1/users/me",
            "status": 200,
            "duration_ms": line["duration_ms"],
            "error_code": None,
            "user_id": str(user.id),
        }
        assert len(line["trace_id"]) == 32
        assert line["duration_ms"] > 0
        assert line["timestamp"].endswith("Z")

    @pytest.mark.parametrize(
        ("method", "path", "expected"),
        [
            ("GET", "/api/v1/users/me?token=otter", ("GET", "/api/v1/users/me", 422, "VALIDATION_ERROR")),
            ("GET", "/otter", ("GET", "__unmatched__", 404, "NOT_FOUND")),
            ("BREW", "/api/v1/users/me", ("_OTHER", "/api/v1/users/me", 405, "METHOD_NOT_ALLOWED")),
            ("GET", "/bug", ("GET", "/bug", 500, "INTERNAL_ERROR")),
        ],
    )
    async def test_names_route_and_error_and_nothing_raw(
        self, client: AsyncClient, log: Log, method: str, path: str, expected: tuple[str, str, int, str]
    ) -> None:
        await client.request(method, path)
        (line,) = log.lines("glasswork.requests")
        assert (line["method"], line["route"], line["status"], line["error_code"]) == expected
        assert "otter" not in json.dumps(line)

    async def test_is_not_written_for_probes(self, client: AsyncClient, log: Log) -> None:
        for path in ("/health", "/ready", "/metrics"):
            await client.get(path)
        assert log.lines("glasswork.requests") == []


class TestBug:
    async def test_is_logged_whole_with_the_id_of_the_request(self, client: AsyncClient, log: Log) -> None:
        response = await client.get("/bug")
        (line,) = log.lines("glasswork.core.http.errors")
        assert (line["event"], line["level"]) == ("request.failed", "error")
        assert line["request_id"] == response.json()["error"]["request_id"]
        (request,) = log.lines("glasswork.requests")
        assert line["trace_id"] == request["trace_id"]
        assert "RuntimeError: ('a bug', 19)" in line["exception"]
        assert "in bug" in line["exception"]

    @pytest.mark.parametrize("log_format", ["json", "console"])
    async def test_is_logged_without_the_values_of_variables(
        self, client: AsyncClient, log: Log, log_format: str
    ) -> None:
        log.configure("info", log_format)
        await client.get("/bug")
        assert "RuntimeError" in log.text
        assert "tremendous otter 77" not in log.text


class TestFormats:
    def test_json_is_one_line(self, log: Log) -> None:
        logging.getLogger("library").info("two\nlines of %s", "an \N{OTTER} otter", extra={"count": 2})
        assert len(log.text.splitlines()) == 1
        (line,) = log.lines("library")
        assert (line["event"], line["count"]) == ("two\nlines of an \N{OTTER} otter", 2)

    def test_console_is_for_people(self, log: Log) -> None:
        log.configure("info", "console")
        logging.getLogger("library").warning("an otter")
        assert "[warning  ] an otter" in log.text
        assert "\x1b" not in log.text

    @pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
    def test_the_level_is_kept(self, log: Log, level: str, count: int) -> None:
        log.configure(level, "json")
        for name in ("debug", "info", "warning", "error"):
            getattr(logging.getLogger("library"), name)("an otter")
        assert len(log.lines("library")) == count

    def test_a_library_raises_as_one_of_ours(self, log: Log) -> None:
        logging.getLogger("library").error("failed", exc_info=KeyError("otter"))
        (line,) = log.lines("library")
        assert "KeyError: 'otter'" in line["exception"]


class TestUvicorn:
    def test_its_access_log_is_off(self, log: Log) -> None:
        logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler(sys.stderr))
        log.configure("debug", "json")
        logging.getLogger("uvicorn.access").info("127.0.0.1 - GET /?token=otter")
        assert log.text == ""
        assert logging.getLogger("uvicorn.access").handlers == []

    def test_its_other_lines_are_ours(self, log: Log) -> None:
        logging.getLogger("uvicorn.error").info("up", extra={"color_message": "\x1b[1mup"})
        (line,) = log.lines("uvicorn.error")
        assert line["event"] == "up"
        assert "color_message" not in line

    @pytest.mark.parametrize(("level", "expected"), [("debug", 30), ("info", 30), ("error", 40)])
    def test_migrations_are_quiet(self, log: Log, level: str, expected: int) -> None:
        log.configure(level, "json")
        assert logging.getLogger("alembic").level == expected
