"""What may leave in a log line, and what may not, whichever way it came in."""

import ast
import json
import logging
import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from glasswork.core.actor import Actor
from glasswork.core.signatures import new_secret, show_secret
from glasswork.core.telemetry import redaction
from glasswork.core.telemetry.lines import JsonFormatter
from glasswork.core.telemetry.redaction import FIELDS, printable, scrub
from glasswork.core.tokens import Keys, issue_access_token, issue_refresh_token, new_api_token, one_time_token

from .conftest import Log
from .programs import run

CANARY = "CANARY-0198c0de-7abc-4def-8123-456789abcdef"
KEYS = Keys.derive("-" * 32)
DOCUMENT = Path(__file__).parents[3] / "docs" / "logs.md"

log_ours, log_theirs = structlog.get_logger("ours"), logging.getLogger("library")


class Color(StrEnum):
    RED = "red"


def chained() -> Exception:
    try:
        try:
            raise KeyError(CANARY)  # noqa: TRY301 (with a cause and a context)
        except KeyError as error:
            raise ValueError(CANARY) from error
    except ValueError:
        try:
            raise TypeError(CANARY)  # noqa: TRY301 (likewise)
        except TypeError as error:
            error.add_note(CANARY)
            return error


def refused_by_the_database() -> DBAPIError:
    original = Exception(f'duplicate key value violates unique constraint "x"\nDETAIL:  Key (x)=({CANARY})')
    return DBAPIError("INSERT INTO users VALUES ($1)", (CANARY,), original)


class TestFields:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("an otter", "an otter"),
            (7, 7),
            (0.5, 0.5),
            (True, True),
            (None, None),
            (Color.RED, "red"),
            (UUID(int=7), str(UUID(int=7))),
            (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23 00:00:00+00:00"),
        ],
    )
    def test_a_single_value_of_a_known_field_leaves(self, log: Log, value: object, expected: object) -> None:
        log_ours.info("an otter", route=value)
        log_theirs.info("an otter", extra={"route": value})
        for line in (log.line("ours"), log.line("library")):
            assert line["route"] == expected
            assert "omitted" not in line

    @pytest.mark.parametrize(
        "value", [[1], {"a": 1}, (1,), object(), SecretStr("x"), b"x", float("nan"), float("inf"), 2**63]
    )
    def test_what_is_no_single_value_stays(self, log: Log, value: object) -> None:
        log_ours.info("an otter", route=value, status=200)
        line = log.line("ours")
        assert "route" not in line
        assert (line["omitted"], line["status"]) == (["route"], 200)

    @pytest.mark.parametrize("name", ["password", "exception", "service", "level", "trace_id", "error"])
    def test_a_field_that_is_not_known_stays_and_is_named(self, log: Log, name: str) -> None:
        log_ours.info("an otter", **{name: CANARY})
        assert log.line("ours")["omitted"] == [name]
        assert CANARY not in log.text

    def test_names_are_limited_too(self, log: Log) -> None:
        names = [f"name_{number}" for number in range(20)]
        log_ours.info("an otter", **dict.fromkeys([CANARY, "a" * 41, *names], 1))
        assert log.line("ours")["omitted"] == ["?", "?", *names[:8], "+12"]

    def test_all_are_told_of(self) -> None:
        table = re.findall(r"^\| (`.*?) \|", DOCUMENT.read_text(), re.MULTILINE)
        told = {name for row in table for name in re.findall(r"`(\w+)`", row)}
        assert told >= FIELDS


class TestCanary:
    @pytest.mark.parametrize(
        "fields",
        [
            {"note": CANARY},
            {"route": {"name": CANARY}},
            {"route": [CANARY]},
            {"route": [{"deep": {"deeper": (CANARY,)}}]},
            {"route": ValueError(CANARY)},
            {CANARY: 1},
        ],
        ids=str,
    )
    def test_in_a_field(self, log: Log, fields: dict[str, Any]) -> None:
        log_ours.info("an otter", **fields)
        log_theirs.info("an otter", extra=fields)
        for line in (log.line("ours"), log.line("library")):
            assert len(line["omitted"]) == 1
        assert CANARY not in log.text

    @pytest.mark.parametrize(
        "error",
        [
            ValueError(CANARY),
            chained(),
            ExceptionGroup(CANARY, [ValueError(CANARY), ExceptionGroup(CANARY, [chained()])]),
            refused_by_the_database(),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_in_an_exception(self, log: Log, error: Exception) -> None:
        log_ours.error("failed", exc_info=error)
        log_theirs.error("failed", exc_info=error)
        log_theirs.error("failed: %s", error)
        log_theirs.error("failed: %(error)r", {"error": error})
        log_theirs.error(error)
        log_ours.error(error)
        assert len(log.lines("ours")) == 2
        assert len(log.lines("library")) == 4
        assert [type(error).__name__ in line["event"] for line in log.lines("library")[1:]] == [True] * 3
        assert CANARY not in log.text

    @pytest.mark.anyio
    async def test_in_what_the_database_refuses(self, log: Log, engine: AsyncEngine) -> None:
        statement = text("SELECT CAST(CAST(:value AS text) AS integer)")
        async with engine.connect() as connection:
            with pytest.raises(DBAPIError, match=CANARY) as caught:
                await connection.execute(statement, {"value": CANARY})
        log_ours.error("failed", exc_info=caught.value)
        exception = log.line("ours")["exception"]
        assert exception["sqlstate"] == "22P02"
        assert any("InvalidTextRepresentationError" in cause for cause in exception["causes"])
        assert CANARY not in log.text

    def test_in_arguments_that_the_text_does_not_name(self, log: Log) -> None:
        arguments = (CANARY,)
        log_ours.info("an otter", *arguments)
        assert log.line("ours")["omitted"] == ["positional_args"]
        (line,) = run(f"""
            log.info("an otter", *["{CANARY}"])
        """)
        assert (line["event"], line["exception"]["type"]) == ("log.not_formatted", "TypeError")
        assert CANARY not in log.text + json.dumps(line)

    def test_is_found_where_it_may_leave(self, log: Log) -> None:
        log_ours.info("an otter", route=CANARY)
        assert CANARY in log.text


class TestValues:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (f"Bearer {CANARY}", "Bearer [redacted]"),
            (f"authorization: basic {CANARY}", "authorization: [redacted]"),
            ("(b'proxy', b'Basic YWRhOnNlY3JldA==')", "(b'proxy', b'Basic [redacted]')"),
            (f"Cookie: a=b; c={CANARY}", "Cookie: [redacted]"),
            (f"(b'authorization', b'Bearer {CANARY}')", "(b'authorization', b'Bearer [redacted]')"),
            ("to ada.lovelace+x@example.com, now", "to [redacted], now"),
            ("/users/ada%40example.com", "/users/[redacted]"),
            (f"password={CANARY} host=db", "password=[redacted] host=db"),
            (f"SMTP_PASSWORD = {CANARY}", "SMTP_PASSWORD = [redacted]"),
            (f"{{'new_password': 'a {CANARY}', 'x': 1}}", "{'new_password': [redacted], 'x': 1}"),
            (f'{{"refresh_token":"{CANARY}"}}', '{"refresh_token":[redacted]}'),
            (f"/?access_token={CANARY}&a=1", "/?access_token=[redacted]&a=1"),
            (f"postgresql://ada:{CANARY}@db:5432/x", "postgresql://[redacted]@db:5432/x"),
            (f"redis://:{CANARY}@db", "redis://[redacted]@db"),
            (f"smtp://ada:a/b@{CANARY}@mail", "smtp://[redacted]@[redacted]"),
        ],
    )
    def test_a_secret_is_taken_out(self, log: Log, value: str, expected: str) -> None:
        log_ours.info("an otter", user_agent=value)
        log_theirs.info("an otter: %s", value)
        assert log.line("ours")["user_agent"] == expected
        assert log.line("library")["event"] == f"an otter: {expected}"

    @pytest.mark.parametrize(
        "token",
        [
            issue_access_token(KEYS, Actor(user_id=uuid4(), session_id=uuid4())),
            issue_refresh_token(KEYS, uuid4(), 7),
            one_time_token(KEYS, uuid4()),
            new_api_token(UUID(int=2**128 - 1), UUID(bytes=b"\xfb\xef\xbe" * 5 + b"\xfb")),
            show_secret(new_secret()),
            f"whsec_{CANARY}+/==",
        ],
        ids=["access", "refresh", "one-time", "API", "webhook", "webhook's own"],
    )
    def test_a_token_of_ours_is_taken_out(self, token: str) -> None:
        assert scrub(f"/accept/{token}?x") == "/accept/[redacted]?x"

    @pytest.mark.parametrize(
        "value",
        [
            "bearer",
            "the bearer of a basic error",
            "/api/v1/users/me",
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)",
            "http://[::1]:8000/a?b=c",
            "2001:db8::",
        ],
    )
    def test_what_is_none_stays(self, value: str) -> None:
        assert scrub(value) == value

    def test_a_secret_does_not_show_where_a_value_is_cut(self) -> None:
        for before in range(940, 1010):
            cut = scrub(f"{'x' * before} postgresql://ada:{CANARY}@db {'x' * 2000}")
            assert len(cut) == 1001
            assert "CAN" not in cut

    def test_a_hostile_value_takes_no_time(self) -> None:
        for part in (
            "a.",
            "a@",
            "://",
            "://a:",
            "token",
            "token =",
            "bearer  ",
            "eyJaaaaaaaa.",
            'password="',
        ):
            assert len(scrub(part * 1_000_000 + "=")) <= 1001


class TestPrintable:
    def test_what_people_write_stays(self) -> None:
        assert printable("Grüße an den \N{OTTER}, $7") == "Grüße an den \N{OTTER}, $7"

    def test_what_controls_a_terminal_is_made_visible(self) -> None:
        assert printable("a\r\n\t\x1b[31m\x9b\u202e\ud800") == r"a\r\n\t\x1b[31m\x9b\u202e\ud800"


def test_json_says_the_same_in_any_encoding() -> None:
    event = "an \N{OTTER} otter \ud800"  # JSON of a caller may hold halves of characters
    text = JsonFormatter({}).format(logging.makeLogRecord({"msg": event}))
    assert text.isascii()
    assert json.loads(text)["event"] == event


def test_what_our_own_lines_say_may_leave() -> None:
    """Else a field would be left out of every line, and nobody would notice."""
    source = Path(redaction.__file__).parents[2]
    said = {
        (keyword.arg, f"{path.name}:{call.lineno}")
        for path in source.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "log"
        for keyword in call.keywords
        if keyword.arg
    }
    assert {name for name, _ in said} >= {"where", "dependency"}
    assert {(name, place) for name, place in said if name not in FIELDS | {"exc_info"}} == set()
