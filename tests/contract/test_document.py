"""What the OpenAPI document promises to everybody who reads it."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

REFERENCES = {
    *("subject", "event", "via", "user", "session", "api_token", "identity"),
    *("workspace", "invitation", "project", "status", "label", "task", "relation", "attachment", "comment"),
    *("notification", "announcement", "webhook", "delivery", "link", "hook", "import"),
    *("calendar_feed", "archive", "report"),
}


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def ids_within(schema: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        if schema.get("format") == "uuid":
            yield place, schema
        for name, inner in schema.items():
            yield from ids_within(inner, f"{place}.{name}")
    elif isinstance(schema, list):
        for number, inner in enumerate(schema):
            yield from ids_within(inner, f"{place}[{number}]")


def test_every_id_says_what_it_refers_to(document: dict[str, Any]) -> None:
    ids = dict(ids_within(document, ""))
    assert len(ids) > 50
    assert {place: id_ for place, id_ in ids.items() if id_.get("x-ref") not in REFERENCES} == {}


def test_every_refusal_is_in_the_envelope(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status >= "400" and name != "GET /ready":
                schema = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                expected = "ValidationErrorResponse" if status == "422" else "ErrorResponse"
                assert schema == expected, f"{name} {status}"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_operation_below_the_api_declares_what_any_can_answer(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if "/api/" in name:
            assert {"400", "413", "422", "429", "500", "503"} <= operation["responses"].keys(), name
            assert operation["description"], name


def test_operations_are_named_by_verb_and_noun(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for name, operation in operations(document) if "/api/" in name]
    assert len(names) == len(set(names))
    assert all(name.replace("_", "").isalpha() for name in names)
    assert {"create_task", "list_workspace_tasks", "complete_task", "update_member"} <= set(names)


def test_an_input_takes_no_other_fields(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    inputs = {name for name in schemas if name.endswith(("Create", "Update", "Registration", "Refresh"))}
    assert len(inputs) >= 9
    assert all(schemas[name]["additionalProperties"] is False for name in inputs)


def test_what_is_made_links_to_what_can_be_done_with_it(document: dict[str, Any]) -> None:
    created = {
        operation["operationId"]: operation["responses"]["201"].get("links", {})
        for _, operation in operations(document)
        if "201" in operation["responses"]
    }
    assert {name for name, links in created.items() if not links} == {"begin_totp"}  # it has no id
    assert created["create_relation"]["get_relation"]["parameters"] == {
        "task_id": "$request.path.task_id",
        "relation_id": "$response.body#/id",
    }
    assert {"get_task", "update_task", "complete_task"} <= created["create_task"].keys()
    assert "watch_task" not in created["create_task"]  # who is to watch, it does not know
