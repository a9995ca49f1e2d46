"""Every place of a request where the document takes a value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Self

from fastapi import FastAPI

from glasswork.core.http.resources import API_PREFIX

from .things import Things
from .walker import Operation, operations
from .world import BODIES, FILES, FORMS, HEADERS, QUERIES, SUBJECTS, file_of, filled, subjects

Steps = tuple[str | int, ...]
Schema = dict[str, Any]

INSIDE = {
    *("workspace", "project", "status", "label", "task", "attachment", "hook", "import", "calendar_feed"),
}
"""What is of a workspace and has a path of its own."""

MODES = ("atomic", "best_effort")
CHANGES: Mapping[str, dict[str, Any]] = {
    "create": {"project_id": "{project_id}", "title": "T"},
    "update": {"task_id": "{task_id}", "title": "V"},
    "complete": {"task_id": "{task_id}"},
    "reopen": {"task_id": "{done_task_id}"},
    "delete": {"task_id": "{task_id}"},
    "archive": {"task_id": "{task_id}"},
    "unarchive": {"task_id": "{archived_task_id}"},
    "restore": {"task_id": "{deleted_task_id}"},
    "move": {"task_id": "{task_id}", "project_id": "{other_project_id}"},
    "position": {"task_id": "{task_id}", "after_id": "{done_task_id}"},
}
"""Each operation that can stand in a bulk."""


@dataclass(frozen=True)
class Slot:
    place: str
    """`path`, `query`, `header` or `body`."""
    steps: Steps
    schema: Schema
    template: str = "{}"
    """Of the text that the value stands in."""

    @property
    def name(self) -> str:
        return str(next(step for step in reversed(self.steps) if isinstance(step, str)))

    @property
    def kind(self) -> str | None:
        """What the value refers to."""
        kind: str | None = self.schema.get("x-ref")
        return kind

    def __str__(self) -> str:
        return f"{self.place} {'.'.join(map(str, self.steps))} {self.template}".removesuffix(" {}")


@dataclass(frozen=True)
class Call:
    """An operation and what it is called with; ids of things are still named."""

    operation: Operation
    declared: Schema = field(repr=False)
    components: Mapping[str, Schema] = field(repr=False)
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def all(cls, app: FastAPI) -> Iterator[Self]:
        """Yield each operation of the document as it is called with success; some in several ways."""
        document = app.openapi()
        for operation in operations(app):
            declared = document["paths"][API_PREFIX + operation.path][operation.method.lower()]
            for body, query in product(_bodies(operation), _queries(operation)):
                yield cls(operation, declared, document["components"]["schemas"], body, query)

    @property
    def name(self) -> str:
        if self.operation.name != "bulk_change_tasks":
            return f"{self.operation.name} at" if "at" in self.query else self.operation.name
        return f"{self.operation.name} {self.body['mode']} {self.body['operations'][0]['op']}"

    @property
    def is_in_workspace(self) -> bool:
        """Whether its path leads into one, to which not all have access."""
        leads_inside = any(slot.place == "path" and slot.kind in INSIDE for slot in self.slots())
        return leads_inside and not self.operation.is_public

    def slots(self) -> Iterator[Slot]:
        for parameter in self.declared.get("parameters", ()):
            for steps, schema in self._leaves(parameter["schema"], (parameter["name"],), None):
                yield Slot(parameter["in"], steps, schema)
        if self.operation.name in FILES:
            return
        for content in self.declared.get("requestBody", {"content": {}})["content"].values():
            for steps, schema in self._leaves(content["schema"], (), self.body):
                yield Slot("body", steps, schema)

    def value_of(self, slot: Slot) -> Any:
        """Return what stands in the slot if nothing else is put there; None: nothing."""
        if slot.place == "path":
            return SUBJECTS.get(self.operation.name, {}).get(slot.name, f"{{{slot.name}}}")
        value: Any = self.body if slot.place == "body" else self.query
        for step in slot.steps:
            if not value:
                return None
            value = value[step] if isinstance(step, int) else value.get(step)
        return value

    def request(self, things: Things, *placed: tuple[Slot, Any]) -> dict[str, Any]:
        """Return what httpx2 needs to send it, with values put into slots."""
        places: dict[str, Any] = {
            "path": subjects(self.operation, things),
            "query": filled(dict(self.query), things),
            "header": filled(HEADERS.get(self.operation.name, {}), things),
            "body": filled(self.body, things),
        }
        for slot, value in placed:
            steps = slot.steps if slot.place == "body" else slot.steps[:1]
            shown = slot.template.format(value) if isinstance(value, str) else value
            places[slot.place] = _put(places[slot.place], steps, shown)
        kind = "data" if self.operation.name in FORMS else "json"
        return {
            "method": self.operation.method,
            "url": API_PREFIX + self.operation.path.format(**places["path"]),
            "params": places["query"],
            "headers": places["header"],
            **({} if self.body is None else {kind: places["body"]}),
            **({"content": file_of(self.operation, things)} if self.operation.name in FILES else {}),
        }

    def _leaves(self, schema: Schema, steps: Steps, value: Any) -> Iterator[tuple[Steps, Schema]]:
        schema = self._resolved(schema, value)
        if "anyOf" in schema:
            for one in schema["anyOf"]:
                yield from self._leaves(one, steps, value)
        elif "properties" in schema:
            for name, inner in schema["properties"].items():
                yield from self._leaves(inner, (*steps, name), (value or {}).get(name))
        elif "items" in schema:
            yield from self._leaves(schema["items"], (*steps, 0), value[0] if value else None)
        elif schema.get("type") != "null":
            yield steps, schema

    def _resolved(self, schema: Schema, value: Any) -> Schema:
        """Of alternatives that a field tells apart, return that of the value."""
        if "discriminator" in schema:
            alternatives = schema["discriminator"]
            schema = {"$ref": alternatives["mapping"][value[alternatives["propertyName"]]]}
        return self.components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _bodies(operation: Operation) -> Iterator[Any]:
    if operation.name == "bulk_change_tasks":
        for mode in MODES:
            for op, change in CHANGES.items():
                yield {"mode": mode, "operations": [{"op": op, **change}]}
    else:
        yield BODIES.get(operation.name) or FORMS.get(operation.name)


def _queries(operation: Operation) -> Iterator[Mapping[str, str]]:
    yield QUERIES.get(operation.name, {})
    if operation.name == "get_task":
        yield {"at": "3000-01-01T00:00:00Z"}  # which another statement answers


def _put(whole: Any, steps: Steps, value: Any) -> Any:
    """Return it with the value there, which may be where nothing was."""
    if not steps:
        return value
    step, *others = steps
    if isinstance(step, int):
        return [_put(whole[step] if whole else None, tuple(others), value)]
    whole = whole if isinstance(whole, dict) else {}  # it may also be a text, and be told so already
    return whole | {step: _put(whole.get(step), tuple(others), value)}
