"""What no client means well, in every place of every request: no answer is a failure of ours.

A value is put into all places of a kind at once, to be refused, and into each alone that it may fit.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest
from fastapi import FastAPI
from httpx2 import Response

from tests.conftest import RolledBackDatabase
from tests.factories.callers import Callers

from .matrix import DUE, OPERATORS
from .references import Stage
from .slots import MODES, Call, Slot

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("acme")]

TEXTS: Final = {
    "NUL": "a\x00b",
    "half a pair": "\ud800",
    "8 KB": "x" * 8192,
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd\u202c, ok",
    "no width": "\u200b\u200d\ufeff\u2060",
    "combining": "e\u0301" + "\u0336" * 20,
    "beyond the plane": "👩\u200d👩\u200d👧 🦉 \U0010ffff",
    "empty": "",
}
MOMENTS: Final = (
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"),
    *("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "10000-01-01T00:00:00Z"),
    *("1900-01-01T00:00:00+23:59", "9000-12-31T23:59:59-23:59"),
    *("2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00-24:00", "2026-01-01T00:00:00"),
    *("2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z"),
)
NUMBERS: Final = (
    *("-0", "-1", "0.5", "1e400", "-1e400", "NaN", "-Infinity", "1e18"),
    *(str(2**31), str(2**63), f"1{'0' * 100}", f"1{'0' * 400}", f"1{'0' * 5000}"),
)
OTHERS: Final = ("null", "true", "{}", "[]", "[null]", '{"a": 1, "a": 2}', f"{'[' * 5000}{']' * 5000}")
REFUSED: Final = (*OTHERS, "1e400", "NaN", "-Infinity", f"1{'0' * 5000}", '"a\\u0000b"', '"\\ud800"')
"""As JSON; few places take any of them."""

FITTING: Final[Mapping[str, tuple[str, ...]]] = {
    "string": tuple(TEXTS.values()),
    "integer": NUMBERS,
    "boolean": ("null", "2"),
    "date-time": MOMENTS,
    "object": ('{"\\u0000": "a"}', '{"a": "\\ud800"}', '{"": {}}', "[]"),
}
HEADERS: Final = (
    b"",
    b'"',
    b"\xff\xfe",
    b'"' + b"9" * 8000 + b'"',
    b'"99999999999999999999"',
    b"W/,*,,",
    b"\xed\xa0\x80",
)
_HERE = "@here@"


def fitting(slot: Slot) -> tuple[str, ...]:
    """Return texts."""
    by_format = FITTING.get(slot.schema.get("format", ""))
    return by_format or FITTING[slot.schema.get("type", "string")]


def raw(slot: Slot, text: str) -> str:
    """Return it as JSON."""
    return json.dumps(text) if slot.schema.get("type", "string") == "string" else text


def fault(answer: Response) -> str | None:
    if answer.status_code < 400:
        return None
    try:
        is_envelope = answer.json()["error"].keys() >= {"code", "message", "details", "request_id"}
    except (ValueError, LookupError):
        is_envelope = False
    return None if is_envelope and answer.status_code < 500 else f"{answer.status_code} {answer.text[:500]}"


class Sender:
    def __init__(self, stage: Stage, database: RolledBackDatabase) -> None:
        self._stage = stage
        self._database = database
        self.faults: dict[str, str] = {}

    async def send(self, call: Call, placed: list[tuple[Slot, Any]], here: str = "null") -> Response:
        """With the JSON in its place in the body; leave nothing behind."""
        request = call.request(self._stage.own, *placed)
        if "json" in request:
            request["content"] = json.dumps(request.pop("json")).replace(f'"{_HERE}"', here)
            request["headers"] = {"Content-Type": "application/json", **request["headers"]}
        elif "data" in request:
            form = {name: here if value == _HERE else value for name, value in request.pop("data").items()}
            request["content"] = urlencode(form, errors="surrogatepass")
            request["headers"] = {"Content-Type": "application/x-www-form-urlencoded", **request["headers"]}
        request["url"] += "?" + urlencode(request.pop("params"), errors="surrogatepass")
        bearer = "operator" if DUE[call.operation.name] is OPERATORS else "session"
        async with self._database.connection.begin_nested() as savepoint:
            answer = await self._stage.send(request, bearer)
            await savepoint.rollback()
        if found := fault(answer):
            self.faults[f"{call.name} {placed[0][0]} {placed[0][1]!a:.60} {here:.60}"] = found
        return answer


def calls(app: FastAPI) -> Iterator[Call]:
    return (call for call in Call.all(app) if MODES[1] not in call.name)


@pytest.fixture
async def sender(callers: Callers, database: RolledBackDatabase) -> Sender:
    return Sender(await Stage.make(callers), database)


@pytest.mark.slow
async def test_no_body_makes_it_fail(app: FastAPI, sender: Sender) -> None:
    taken = 0
    for call in calls(app):
        slots = [slot for slot in call.slots() if slot.place == "body"]
        for value in REFUSED if slots else ():
            await sender.send(call, [(slot, _HERE) for slot in slots], value)
        for slot in slots[:1]:
            await sender.send(call, [(slot, _HERE)], json.dumps("x" * 2**20))
        for slot in slots:
            for text in fitting(slot):
                answer = await sender.send(call, [(slot, _HERE)], raw(slot, text))
                shown = answer.json() if answer.is_success and answer.content else {}
                if slot.schema.get("type") == "string" and "format" not in slot.schema and slot.name in shown:
                    taken += 1
                    if shown[slot.name] != text:
                        sender.faults[f"{call.name} {slot} {text[:60]!a}"] = f"shown as {shown[slot.name]!a}"
    assert sender.faults == {}
    assert taken > 40, "texts came back as they were"


@pytest.mark.slow
async def test_no_path_and_no_query_makes_it_fail(app: FastAPI, sender: Sender) -> None:
    for call in calls(app):
        for slot in call.slots():
            if slot.place == "query":
                for text in fitting(slot):
                    await sender.send(call, [(slot, text)])
            elif slot.place == "path":
                for text in (*TEXTS.values(), str(2**63), "..", "a/b"):
                    if text:
                        await sender.send(call, [(slot, quote(text.encode(errors="surrogatepass"), safe=""))])
    assert sender.faults == {}


async def test_no_header_makes_it_fail(app: FastAPI, sender: Sender) -> None:
    for call in calls(app):
        for slot in call.slots():
            if slot.place == "header":
                for value in HEADERS:
                    await sender.send(call, [(slot, value)])
    assert sender.faults == {}
