"""Which differences between two documents can break a caller, and which cannot."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from .compatibility import Document, breaks

THING = {
    "type": "object",
    "required": ["id", "size", "state"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "size": {"type": "integer"},
        "state": {"enum": ["new", "old"], "type": "string"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
    },
}
NEW_THING = {
    "type": "object",
    "additionalProperties": False,
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "name": {"anyOf": [{"type": "string", "maxLength": 20}, {"type": "null"}]},
        "state": {"enum": ["new", "old"], "type": "string"},
        "counts": {"type": "object", "additionalProperties": {"type": "number"}},
    },
}
BASE: Document = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "create_thing",
                "security": [{"Session": []}, {"ApiToken": ["things:write"]}],
                "parameters": [
                    {"in": "query", "name": "limit", "required": False, "schema": {"type": "integer"}}
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}},
                },
                "responses": {
                    "201": {
                        "description": "",
                        "headers": {"Location": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "409": {"description": "`THING_EXISTS`"},
                },
            },
            "get": {"operationId": "list_things", "security": [], "responses": {"200": {}}},
        }
    },
    "components": {"schemas": {"Thing": THING, "NewThing": NEW_THING}},
}

Change = Callable[[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]], object]
"""Of the paths, the operation that creates, what it takes and what it answers."""

BREAKING: dict[str, Change] = {
    "a path is gone": lambda paths, *_: paths.pop("/things"),
    "an operation is gone": lambda paths, *_: paths["/things"].pop("get"),
    "an operation has another id": lambda _, op, *__: op.update(operationId="make_thing"),
    "a way to sign in is gone": lambda _, op, *__: op["security"].pop(),
    "another scope is needed": lambda _, op, *__: op["security"][1].update(ApiToken=["admin:write"]),
    "all may call now": lambda _, op, *__: op.update(security=[]),
    "not all may call any more": lambda paths, *_: paths["/things"]["get"].update(security=[{"Session": []}]),
    "a parameter is gone": lambda _, op, *__: op["parameters"].clear(),
    "a parameter is required": lambda _, op, *__: op["parameters"][0].update(required=True),
    "a required parameter is new": lambda _, op, *__: op["parameters"].append(
        {"in": "header", "name": "If-Match", "required": True, "schema": {}}
    ),
    "a parameter takes less": lambda _, op, *__: op["parameters"][0].update(
        schema={"type": "integer", "maximum": 100}
    ),
    "a body is gone": lambda _, op, *__: op.pop("requestBody"),
    "a body is required": lambda paths, *_: paths["/things"]["get"].update(
        requestBody={"required": True, "content": {}}
    ),
    "a form takes the place of JSON": lambda _, op, *__: op["requestBody"].update(
        content={"application/x-www-form-urlencoded": {}}
    ),
    "a status is gone": lambda _, op, *__: op["responses"].pop("409"),
    "another success is possible": lambda _, op, *__: op["responses"].update({"202": {}}),
    "a header is gone": lambda _, op, *__: op["responses"]["201"].pop("headers"),
    "an answer is not JSON": lambda _, op, *__: op["responses"]["201"].update(content={"text/csv": {}}),
    "a field is not taken": lambda _, __, taken, ___: taken["properties"].pop("name"),
    "a field must be sent": lambda _, __, taken, ___: taken["required"].append("name"),
    "a new field must be sent": lambda _, __, taken, ___: (
        taken["required"].append("colour"),
        taken["properties"].update(colour={}),
    ),
    "a field takes no null": lambda _, __, taken, ___: taken["properties"]["name"]["anyOf"].pop(),
    "a field takes another type": lambda _, __, taken, ___: taken["properties"].update(
        size={"type": "string"}
    ),
    "a field takes less": lambda _, __, taken, ___: taken["properties"]["size"].update(maximum=8),
    "a field takes no small ones": lambda _, __, taken, ___: taken["properties"]["size"].update(minimum=2),
    "one of several takes less": lambda _, __, taken, ___: taken["properties"]["name"]["anyOf"][0].update(
        maxLength=19
    ),
    "a field has a pattern": lambda _, __, taken, ___: taken["properties"]["name"]["anyOf"][0].update(
        pattern="^a"
    ),
    "a value is not taken": lambda _, __, taken, ___: taken["properties"]["state"]["enum"].pop(),
    "other keys take less": lambda _, __, taken, ___: taken["properties"]["counts"].update(
        additionalProperties={"type": "integer"}
    ),
    "a field is not answered": lambda *all_: all_[3]["properties"].pop("note"),
    "a field may be missing": lambda *all_: all_[3]["required"].remove("size"),
    "a field may be null": lambda *all_: all_[3]["properties"].update(size={"type": ["integer", "null"]}),
    "a field is of another type": lambda *all_: all_[3]["properties"].update(size={"type": "number"}),
    "a field lost its format": lambda *all_: all_[3]["properties"]["id"].pop("format"),
    "a value is not answered": lambda *all_: all_[3]["properties"]["state"]["enum"].pop(),
    "a value is new": lambda *all_: all_[3]["properties"]["state"]["enum"].append("lost"),
    "any value is possible": lambda *all_: all_[3]["properties"].update(state={"type": "string"}),
    "the items are others": lambda *all_: all_[3]["properties"]["parts"].update(items={"type": "string"}),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda *_: None,
    "an operation is new": lambda paths, *_: paths.update({"/others": {"get": {"operationId": "others"}}}),
    "another way to sign in": lambda _, op, *__: op["security"].append({"Cookie": []}),
    "an optional parameter is new": lambda _, op, *__: op["parameters"].append(
        {"in": "query", "name": "sort", "schema": {}}
    ),
    "a body may be left out": lambda _, op, *__: op["requestBody"].update(required=False),
    "another refusal is possible": lambda _, op, *__: op["responses"].update({"429": {}}),
    "a code is new": lambda _, op, *__: op["responses"]["409"].update(
        description="`THING_EXISTS`, `TOO_LATE`"
    ),
    "a header is new": lambda _, op, *__: op["responses"]["201"]["headers"].update(ETag={}),
    "an optional field is taken": lambda _, __, taken, ___: taken["properties"].update(colour={}),
    "a field need not be sent": lambda _, __, taken, ___: taken["required"].clear(),
    "a field takes more": lambda _, __, taken, ___: taken["properties"]["size"].update(maximum=10),
    "a field has no limit": lambda _, __, taken, ___: taken["properties"]["size"].pop("minimum"),
    "a field takes another type too": lambda _, __, taken, ___: taken["properties"].update(
        size={"type": "number", "minimum": 1, "maximum": 9}
    ),
    "a value more is taken": lambda _, __, taken, ___: taken["properties"]["state"]["enum"].append("lost"),
    "a field is answered": lambda *all_: all_[3]["properties"].update(colour={"type": "string"}),
    "a field is always there": lambda *all_: all_[3]["required"].append("note"),
    "a field is never null": lambda *all_: all_[3]["properties"].update(note={"type": "string"}),
    "a field has a limit": lambda *all_: all_[3]["properties"]["size"].update(maximum=9),
    "words are others": lambda *all_: all_[3]["properties"]["size"].update(description="How big.", title="S"),
}


def changed(change: Change) -> Document:
    document = deepcopy(BASE)
    schemas = document["components"]["schemas"]
    change(document["paths"], document["paths"]["/things"]["post"], schemas["NewThing"], schemas["Thing"])
    return document


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING)
def test_what_can_break_a_caller_is_found(change: Change) -> None:
    assert [str(each) for each in breaks(BASE, changed(change))] != []


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_breaks_nobody_is_not(change: Change) -> None:
    assert [str(each) for each in breaks(BASE, changed(change))] == []


def test_a_break_names_operation_and_place() -> None:
    found = breaks(BASE, changed(BREAKING["a value is not taken"]))
    assert list(map(str, found)) == ['`create_thing`: body.state: "old" is gone']
