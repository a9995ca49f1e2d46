import json
import logging
import sys
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
import structlog
from fastapi import FastAPI
from httpx2 import AsyncClient

from glasswork.app import create_app
from glasswork.core.db import Database
from glasswork.core.settings import Settings
from glasswork.core.telemetry.redaction import FIELDS
from tests.conftest import make_client
from tests.factories.callers import Callers

from .conftest import Log
from .programs import run

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
            "span_id": line["span_id"],
            "service": "glasswork",
            "version": version("glasswork"),
            "environment": "development",
            "role": "api",
            "method": "GET",
            "route": "/api/v1/users/me",
            "path": "/api/v1/users/me",
            "status": 200,
            "outcome": "ok",
            "duration_ms": line["duration_ms"],
            "ttfb_ms": line["ttfb_ms"],
            "db_queries": 0,
            "db_ms": 0,
            "db_wait_ms": 0,
            "jobs_ordered": 0,
            "bytes_in": 0,
            "bytes_out": len(response.content),
            "user_id": str(user.id),
            "trace_sampled": True,
            "client_ip": "127.0.0.0/24",
            "user_agent": "python-httpx",
        }
        assert (len(line["trace_id"]), len(line["span_id"])) == (32, 16)
        assert line["duration_ms"] > 0
        assert line["timestamp"].endswith("Z")

    async def test_says_that_nothing_was_done_for_a_retry(self, callers: Callers, log: Log) -> None:
        user = await callers.user()
        for _ in range(2):
            await user.post("/workspaces", {"name": "W", "slug": "retried"}, idempotency_key="1")
        lines = log.lines("glasswork.requests")
        assert [line.get("idempotent_replayed") for line in lines] == [None, True]

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
        (line,) = log.lines("glasswork.requests")
        assert (line["level"], line["outcome"], line["error_type"]) == (
            "error",
            "server_error",
            "RuntimeError",
        )
        ids = {name: response.json()["error"][name] for name in ("request_id", "trace_id")}
        assert ids.items() <= line.items()
        assert line["exception"]["type"] == "RuntimeError"
        assert line["exception"]["stack"][-1].endswith(" logged_app.<locals>.bug")
        assert "a bug" not in log.text

    @pytest.mark.parametrize("log_format", ["json", "console"])
    async def test_is_logged_without_the_values_of_variables(
        self, client: AsyncClient, log: Log, log_format: str
    ) -> None:
        log.configure("info", log_format)
        await client.get("/bug")
        assert "RuntimeError" in log.text
        assert "tremendous otter 77" not in log.text

    async def test_is_shown_to_people_with_its_text(self, client: AsyncClient, log: Log) -> None:
        log.configure("info", "console")
        await client.get("/bug")
        assert "RuntimeError: ('a bug', 19)" in log.text


class TestShape:
    def test_is_the_same_for_ours_and_the_libraries(self, log: Log) -> None:
        structlog.get_logger("ours").warning("an otter", attempt=2)
        logging.getLogger("library").warning("an %s", "otter", extra={"attempt": 2})
        ours, theirs = log.line("ours"), log.line("library")
        different = {"timestamp": theirs["timestamp"], "logger": "library"}
        assert ours | different == theirs
        assert theirs == {
            "timestamp": theirs["timestamp"],
            "level": "warning",
            "logger": "library",
            "event": "an otter",
            "attempt": 2,
            "service": "glasswork",
            "version": version("glasswork"),
            "environment": "development",
            "role": "api",
        }
        age = datetime.now(UTC) - datetime.fromisoformat(theirs["timestamp"])
        assert timedelta(0) <= age < timedelta(minutes=1)

    def test_json_is_one_line(self, log: Log) -> None:
        logging.getLogger("library").info("two\nlines of %s", "an \N{OTTER} otter\u2028")
        assert len(log.text.splitlines()) == 1
        assert log.line()["event"] == "two\nlines of an \N{OTTER} otter\u2028"

    def test_what_is_bound_is_in_it(self, log: Log) -> None:
        structlog.get_logger("ours").bind(job="mail").info("an otter", job_id=7)
        assert (log.line("ours")["job"], log.line("ours")["job_id"]) == ("mail", 7)

    def test_a_library_raises_as_one_of_ours(self, log: Log) -> None:
        error = KeyError("otter")
        logging.getLogger("library").error("failed", exc_info=error)
        structlog.get_logger("ours").error("failed", exc_info=error)
        assert log.line()["exception"] == log.line("ours")["exception"]
        assert log.line()["exception"]["type"] == "KeyError"

    @pytest.mark.parametrize("exc_info", [True, None])
    def test_the_exception_in_hand_is_told_when_asked_for(self, log: Log, exc_info: bool | None) -> None:
        try:
            raise KeyError("otter")  # noqa: TRY301 (it must be in hand)
        except KeyError:
            structlog.get_logger("ours").error("failed", exc_info=exc_info)
        assert ("exception" in log.line("ours")) == bool(exc_info)

    @pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
    def test_the_level_is_kept(self, log: Log, level: str, count: int) -> None:
        log.configure(level, "json")
        for logger in (logging.getLogger("library"), structlog.get_logger("ours")):
            for name in ("debug", "info", "warning", "error"):
                getattr(logger, name)("an otter")
        assert len(log.lines("library")) == len(log.lines("ours")) == count


class TestConsole:
    async def test_a_request_is_a_sentence(self, client: AsyncClient, log: Log) -> None:
        log.configure("info", "console")
        await client.get("/nowhere")
        (line,) = log.text.splitlines()
        assert "[info     ] GET __unmatched__ 404 in " in line
        assert "error_code=NOT_FOUND" in line
        assert "client_ip" not in line
        assert "duration_ms" not in line  # the sentence has it

    def test_of_what_is_no_request_the_end_and_the_time_are_told(self, log: Log) -> None:
        log.configure("info", "console")
        logging.getLogger("library").info("job.attempt", extra={"duration_ms": 7.5, "outcome": "retry"})
        assert "duration_ms=7.5" in log.text
        assert "outcome=retry" in log.text

    def test_is_for_people(self, log: Log) -> None:
        log.configure("info", "console")
        logging.getLogger("library").warning("an otter", extra={"attempt": 2})
        assert "[warning  ] an otter" in log.text
        assert "attempt=2" in log.text
        assert "glasswork" not in log.text  # which process it is they know
        assert "\x1b" not in log.text

    @pytest.mark.parametrize(
        "forged", ["\n2026-11-23 [info] paid", "\r\x1b[2K\x1b[31m", "\x9b31m\u2028\u202e"]
    )
    def test_a_line_stays_a_line_whatever_a_caller_sent(self, log: Log, forged: str) -> None:
        log.configure("info", "console")
        logging.getLogger("library").info("an %s", forged, extra={"user_agent": forged})
        assert len(log.text.splitlines()) == 1
        assert log.text.rstrip("\n").isprintable()

    def test_an_exception_does_not_look_like_a_line(self, log: Log) -> None:
        log.configure("info", "console")
        logging.getLogger("library").error("failed", exc_info=ValueError("otter\nforged\x1b[31m"))
        first, *others = log.text.splitlines()
        assert "failed" in first
        assert "    ValueError: otter" in others
        assert all(line.startswith("    ") and line.isprintable() for line in others)


class TestLength:
    def test_is_limited(self, log: Log) -> None:
        fields = dict.fromkeys(FIELDS, "\N{OTTER}" * 20_000)
        logging.getLogger("library").info("an otter" * 20_000, extra=fields)
        assert len(log.text) <= 8192
        line = log.line()
        assert line["truncated"] is True
        assert line["event"].startswith("an otter")
        assert line["role"] == "api"

    def test_the_end_of_a_stack_is_kept(self, log: Log) -> None:
        def swim_on_and_on_until_the_stack_of_calls_is_as_long_as_it_may_be_for_an_otter(left: int) -> None:
            if left == 0:
                raise LookupError
            swim_on_and_on_until_the_stack_of_calls_is_as_long_as_it_may_be_for_an_otter(left - 1)

        with pytest.raises(LookupError) as caught:
            swim_on_and_on_until_the_stack_of_calls_is_as_long_as_it_may_be_for_an_otter(200)
        logging.getLogger("library").error("failed", exc_info=caught.value)
        assert len(log.text) <= 8192
        assert log.line()["truncated"] is True
        last = traceback.extract_tb(caught.tb)[-1]
        assert f"test_logs.py:{last.lineno} " in log.line()["exception"]["stack"][-1]

    def test_a_short_line_is_whole(self, log: Log) -> None:
        logging.getLogger("library").info("an otter")
        assert "truncated" not in log.line()


class TestConfiguration:
    def test_again_replaces_what_was(self, log: Log) -> None:
        logging.getLogger("library").info("first")
        first = log.handler
        log.configure()
        logging.getLogger("library").info("second")
        assert [line["event"] for line in log.lines("library")] == ["first", "second"]
        assert logging.getLogger().handlers == [log.handler]
        assert (first.lines["info"], log.handler.lines["info"]) == (1, 1)

    def test_warnings_and_what_nobody_caught_have_the_same_shape(self) -> None:
        lines = run(r"""
            import asyncio, warnings
            warnings.warn("old\nnews", DeprecationWarning)
            async def poll():
                raise ValueError("otter")
            async def main():
                await asyncio.wait({asyncio.create_task(poll())})
            asyncio.run(main())
        """)
        warning, error = lines
        assert (warning["logger"], warning["level"]) == ("py.warnings", "warning")
        assert warning["event"].endswith("DeprecationWarning: old")
        assert (error["logger"], error["level"]) == ("asyncio", "error")
        assert error["event"] == "Task exception was never retrieved (poll)"
        assert error["exception"]["type"] == "ValueError"
        assert "otter" not in json.dumps(lines)


class TestUvicorn:
    def test_its_access_log_is_off(self, log: Log) -> None:
        logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler(sys.stderr))
        log.configure("debug", "json")
        logging.getLogger("uvicorn.access").info("127.0.0.1 - GET /?token=otter")
        assert log.text == ""
        assert logging.getLogger("uvicorn.access").handlers == []

    def test_its_other_lines_are_ours(self, log: Log) -> None:
        logging.getLogger("uvicorn.error").warning("up", extra={"color_message": "\x1b[1mup"})
        (line,) = log.lines("uvicorn.error")
        assert line["event"] == "up"
        assert not line.keys() & {"color_message", "omitted"}

    @pytest.mark.parametrize(("level", "expected"), [("debug", 30), ("info", 30), ("error", 40)])
    def test_migrations_are_quiet(self, log: Log, level: str, expected: int) -> None:
        log.configure(level, "json")
        assert logging.getLogger("alembic").level == expected
