"""A field that is only shown, or is nobody's business, cannot be written along with others."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from tests.conftest import RolledBackDatabase, undone
from tests.factories.callers import Callers

from .matrix import DUE, OPERATORS
from .references import Stage
from .slots import Call, Steps
from .snapshot import snapshot
from .world import FORMS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("acme")]

COVETED = {
    **dict.fromkeys(("id", "workspace_id", "user_id", "created_by"), "01a22309-7295-7542-a0bf-349030a5d370"),
    "role": "owner",
    "is_admin": True,
    "is_active": True,
    "version": 1,
    "password_hash": "x",
    "number": 1,
}
"""Tried everywhere, shown or not."""


def writes(app: FastAPI) -> Iterator[Call]:
    return (call for call in Call.all(app) if call.body is not None and call.name not in FORMS)


async def test_each_is_refused(app: FastAPI, callers: Callers, database: RolledBackDatabase) -> None:
    stage = await Stage.make(callers)
    before = await snapshot(database.connection)
    found = {}
    for call in writes(app):
        bearer = "operator" if DUE[call.operation.name] is OPERATORS else "session"
        request = call.request(stage.own)
        async with undone(database.connection):
            answer = await stage.send(request, bearer)
        assert answer.status_code < 500
        steps = ("operations", 0) if "operations" in request["json"] else ()
        body = at(request["json"], steps)
        shown = at(answer.json(), ("items", 0, "task") if steps else ()) if answer.content else {}
        slots = [slot.steps for slot in call.slots() if slot.place == "body"]
        taken = {slot[len(steps)] for slot in slots if slot[: len(steps)] == steps}
        extra = {name: value for name, value in {**COVETED, **(shown or {})}.items() if name not in taken}
        body |= extra
        answer = await stage.send(request, bearer)
        errors = answer.json()["error"]["details"].get("errors", [])
        refused = {error["loc"][-1] for error in errors if error["code"] == "extra_forbidden"}
        if answer.status_code != 422 or refused != extra.keys():
            found[call.name] = f"{answer.status_code} {refused ^ extra.keys()}"
    assert found == {}
    assert await snapshot(database.connection) == before


def at(value: Any, steps: Steps) -> Any:
    for step in steps:
        value = value[step]
    return value
