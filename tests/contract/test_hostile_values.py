"""What no client means well, in every place of every request: no answer is a failure of ours.

A value is put into all places of a kind at once, to be refused, and into each alone that it may fit.
"""

import json
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response

from tests.conftest import RolledBackDatabase, undone
from tests.factories.callers import Callers

from .hostile import HEADERS, REFUSED, TEXTS, TRICKS, as_json, fault, fitting, here, in_path, request_of
from .matrix import DUE, OPERATORS
from .references import Stage
from .slots import MODES, Call, Slot

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("acme")]

TRICKS_EACH = 3
"""So many in each place, until all have had their turn, and again."""


class Sender:
    def __init__(self, stage: Stage, database: RolledBackDatabase) -> None:
        self._stage = stage
        self._database = database
        self.faults: dict[str, str] = {}

    async def send(self, call: Call, *placed: tuple[Slot, Any]) -> Response:
        """Leave nothing behind."""
        request = request_of(call, self._stage.own, [*placed])
        bearer = "operator" if DUE[call.operation.name] is OPERATORS else "session"
        async with undone(self._database.connection):
            answer = await self._stage.send(request, bearer)
        if found := fault(answer):
            self.faults[f"{call.name} {placed[0][0]} {placed[0][1]!a:.60}"] = found
        return answer


def calls(app: FastAPI) -> Iterator[Call]:
    return (call for call in Call.all(app) if MODES[1] not in call.name)


@pytest.fixture
async def sender(callers: Callers, database: RolledBackDatabase) -> Sender:
    return Sender(await Stage.make(callers), database)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.fault("F13", "sign in", "create", "edit", "comment", "webhook", "import")
@pytest.mark.fault("F14", "sign in", "create", "edit", "comment", "webhook", "import")
@pytest.mark.timeout(300)
async def test_no_body_makes_it_fail(app: FastAPI, sender: Sender) -> None:
    taken = 0
    tricks = cycle(TRICKS)
    for call in calls(app):
        slots = [slot for slot in call.slots() if slot.place == "body"]
        for value in REFUSED if slots else ():
            await sender.send(call, *((slot, here(value)) for slot in slots))
        for slot in slots[:1]:
            await sender.send(call, (slot, here(json.dumps("x" * 2**20))))
        for slot in slots:
            for text in (*fitting(slot), *islice(tricks, TRICKS_EACH)):
                answer = await sender.send(call, (slot, here(as_json(slot, text))))
                shown = answer.json() if answer.is_success and answer.content else {}
                is_plain = slot.schema.get("type") == "string" and "format" not in slot.schema
                if is_plain and text in TEXTS.values() and slot.name in shown:
                    taken += 1
                    if shown[slot.name] != text:
                        sender.faults[f"{call.name} {slot} {text[:60]!a}"] = f"shown as {shown[slot.name]!a}"
    assert sender.faults == {}
    assert taken > 40, "texts came back as they were"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.fault("F14", "read", "search", "upload", "download", "stream")
async def test_no_path_and_no_query_makes_it_fail(app: FastAPI, sender: Sender) -> None:
    tricks = cycle(TRICKS)
    for call in calls(app):
        for slot in call.slots():
            if slot.place == "query":
                for text in (*fitting(slot), *islice(tricks, TRICKS_EACH)):
                    await sender.send(call, (slot, text))
            elif slot.place == "path":
                for text in (*TEXTS.values(), str(2**63), "..", "a/b", *islice(tricks, TRICKS_EACH)):
                    if text:
                        await sender.send(call, (slot, in_path(text)))
    assert sender.faults == {}


@pytest.mark.fault("F14", "read", "create", "edit")
@pytest.mark.slow
async def test_no_header_makes_it_fail(app: FastAPI, sender: Sender) -> None:
    for call in calls(app):
        for slot in call.slots():
            if slot.place == "header":
                for value in HEADERS:
                    await sender.send(call, (slot, value))
    assert sender.faults == {}
