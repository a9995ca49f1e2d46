"""An id that is none of the caller's business in each place that takes one; all else is the caller's own."""

import re
from itertools import groupby
from typing import Any, get_type_hints

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.responses import StreamingResponse

from tests.conftest import RolledBackDatabase, undone
from tests.factories.callers import Callers

from .foreign import MAKERS
from .references import Reference, Stage
from .slots import Call
from .snapshot import snapshot

pytestmark = pytest.mark.anyio

NO_REFERENCES = {"client_id", "id"}
"""OAuth2's, which nobody looks at; and of a mapping, the name of a column."""

STREAMS = {"/ops/api/stream", "/api/v1/ws"}
"""Not in the document; for operators, whom it shows numbers."""


SHORT = {"of_strangers", "elsewhere"}
"""The others take 5 s each."""


def test_every_id_says_what_it_refers_to(app: FastAPI) -> None:
    ids = {
        f"{call.name} {slot}": slot.kind
        for call in Call.all(app)
        for slot in call.slots()
        if not slot.schema.keys() & {"enum", "const"} and slot.name not in NO_REFERENCES
        if slot.schema.get("format") == "uuid" or re.search(r"(^|_)ids?$", slot.name)
    }
    assert len(ids) > 100
    assert [place for place, kind in ids.items() if kind is None] == []


def test_every_stream_is_known(app: FastAPI) -> None:
    documented = app.openapi()["paths"]
    routes = [route for route in iter_route_contexts(app.routes) if route.endpoint is not None]
    assert {route.path for route in routes if route.path not in documented and is_stream(route)} == STREAMS


def is_stream(route: Any) -> bool:
    return not route.methods or get_type_hints(route.endpoint).get("return") is StreamingResponse


async def test_what_is_the_callers_own_is_taken(
    app: FastAPI, callers: Callers, database: RolledBackDatabase
) -> None:
    stage = await Stage.make(callers)
    refused = {}
    for reference in Reference.all(app):
        request = reference.call.request(stage.own, (reference.slot, reference.own(stage.own)))
        async with undone(database.connection):
            answer = await stage.send(request, "operator" if reference.is_for_operators else "session")
        if not reference.takes(answer):
            refused[str(reference)] = answer.text
    assert refused == {}


@pytest.mark.parametrize(
    "maker",
    [name if name in SHORT else pytest.param(name, marks=pytest.mark.slow) for name in MAKERS],
)
async def test_what_is_foreign_is_refused(
    app: FastAPI, callers: Callers, database: RolledBackDatabase, maker: str
) -> None:
    stage = await Stage.make(callers)
    foreign = await MAKERS[maker](callers, stage.owner, stage.own)
    before = await snapshot(database.connection)
    found = {}
    for call, attempts in groupby(stage.attempts(app, foreign, maker), lambda attempt: attempt.call.name):
        for attempt in attempts:
            answer = await stage.send(attempt.request, attempt.bearer)
            if fault := attempt.fault(answer, stage.own, foreign):
                found[attempt.name] = fault
        after = await snapshot(database.connection)
        if before != after:
            found[f"{call} changed"] = str(before.items() ^ after.items())
            before = after
    assert found == {}
