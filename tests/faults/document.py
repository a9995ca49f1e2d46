"""The mutations that the OpenAPI document names, and values that fit its schemas."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from tests.factories.callers import PASSWORD

Json = dict[str, Any]
Schema = Mapping[str, Any]
Refer = Callable[[str], str | None]
"""Gives the id of something of a kind, where there is one."""

_ODD = ("", "é", "🦉", '"', "\\u0000", "\u2028", "{}", "'; --", "\N{RIGHT-TO-LEFT OVERRIDE}")
"""Where text is free, its ends are such."""


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    parameters: Mapping[str, Schema] = field(repr=False)
    """Of the path, in its order."""
    body: Schema | None = field(repr=False)
    is_form: bool = field(repr=False)
    answer: Schema | None = field(repr=False)
    takes_if_match: bool = field(repr=False)
    takes_key: bool = field(repr=False)
    has_actor: bool = field(repr=False)


LEFT_OUT = {
    *("change_password", "request_password_reset", "reset_password", "change_email", "confirm_email"),
    *("begin_totp", "confirm_totp", "renew_recovery_codes", "disable_totp", "reset_user_totp"),
    *("verify_second_factor", "reauthenticate"),
    *("create_api_token", "revoke_api_token", "register_invited", "transfer_workspace"),
    *("delete_me", "create_first_admin", "link_identity", "delete_identity"),
    *("put_attachment", "delete_attachment"),
    *("read_notification", "unread_notification", "read_all_notifications"),
    *("set_notification_preferences", "unsubscribe"),
    *("create_announcement", "create_workspace_announcement"),
    *("create_webhook", "update_webhook", "delete_webhook", "change_webhook_secret"),
    *("ping_webhook", "redeliver", "redeliver_since"),
    *("create_relation", "delete_relation", "move_task", "add_reaction", "remove_reaction"),
    *("create_hook", "update_hook", "change_hook_secret", "delete_hook", "receive_message"),
    *("create_import", "put_import_file", "start_import", "delete_import"),
    *("create_task_link", "delete_task_link", "create_calendar_feed", "delete_calendar_feed"),
    *("create_archive", "delete_archive"),
    *("order_project_report", "order_workspace_report", "delete_report"),
    *("bulk_change_tasks", "watch_task", "unwatch_task", "create_status", "update_status", "delete_status"),
}
"""They move what the writers sign in with, what they own, the words that they know for a task's status, or
are about bytes, or about oneself alone, or about two things or many; the tests of their slices have them."""


def mutations(document: Json) -> dict[str, Operation]:
    """Every operation that is no GET, by its id."""
    found = {}
    for path, methods in _resolve(document, document["paths"]).items():
        for method, described in methods.items():
            if method != "get" and described["operationId"] not in LEFT_OUT:
                operation = _operation(method, path, described)
                found[operation.id] = operation
    return found


def _operation(method: str, path: str, described: Json) -> Operation:
    parameters = {item["name"]: item for item in described.get("parameters", [])}
    bodies = described.get("requestBody", {}).get("content", {})
    success = next(answer for status, answer in described["responses"].items() if status.startswith("2"))
    return Operation(
        id=described["operationId"],
        method=method,
        path=path,
        parameters={name: parameters[name]["schema"] for name in re.findall(r"{(\w+)}", path)},
        body=next((body["schema"] for body in bodies.values()), None),
        is_form="application/json" not in bodies,
        answer=next((body["schema"] for body in success.get("content", {}).values()), None),
        takes_if_match="if-match" in parameters,
        takes_key="Idempotency-Key" in parameters,
        has_actor=bool(described["security"]),
    )


def _resolve(document: Json, node: Any) -> Any:
    """Put what a $ref names in its place."""
    if isinstance(node, list):
        return [_resolve(document, item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target: Any = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return _resolve(document, target)
    return {name: _resolve(document, item) for name, item in node.items()}


def ids_in(schema: Schema, answer: Json) -> dict[str, str]:
    """What a resource is and where it lies, as {"workspace": id, "task": id}; its own id comes last."""
    ids = {}
    for name, described in sorted(schema.get("properties", {}).items(), key=lambda item: item[0] == "id"):
        kind = described.get("x-ref")
        if kind and name in {"id", f"{kind}_id"}:
            ids[kind] = answer[name]
    return ids


class Maker:
    """Makes values that fit a schema. No two words are the same, so names that must be unique are."""

    def __init__(self, rng: Random, emails: Collection[str], words: Mapping[str, list[Any]]) -> None:
        self._rng = rng
        self._numbers = count(100)
        self._emails = emails
        self._words = words
        """What the document does not say of a field: the words that are known there."""

    def fields(self, schema: Schema, refer: Refer, given: Json) -> Json:
        """An object with the given fields, what is required, and half of the rest."""
        required = schema.get("required", [])
        return given | {
            name: self._rng.choice(self._words[name]) if name in self._words else self.value(described, refer)
            for name, described in schema["properties"].items()
            if name not in given and (name in required or self._rng.random() < 1 / 2)
        }

    def value(self, schema: Schema, refer: Refer) -> Any:
        if "anyOf" in schema:
            return self.value(self._rng.choice(schema["anyOf"]), refer)
        if "x-ref" in schema:
            return refer(schema["x-ref"])
        if schema["type"] == "array":
            items = [self.value(schema["items"], refer) for _ in range(self._rng.randrange(4))]
            return [item for item in items if item is not None]
        return self._rng.choice(schema["enum"]) if "enum" in schema else self._plain(schema)

    def _plain(self, schema: Schema) -> Any:
        match schema["type"]:
            case "string":
                return self._text(schema)
            case "integer":
                return self._rng.randint(int(schema.get("minimum", 0)), 999)
            case "boolean":
                return self._rng.random() < 1 / 2
            case "null":
                return None
        raise AssertionError(schema)

    def _text(self, schema: Schema) -> str:
        number = next(self._numbers)
        match schema.get("format"):
            case "password":
                return PASSWORD
            case "email":
                is_known = self._rng.random() < 1 / 4
                return self._rng.choice(sorted(self._emails)) if is_known else f"w{number}@example.com"
            case "date-time":
                moment = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self._rng.randrange(10**8))
                return moment.isoformat()
        free = f"Word {number}{self._rng.choice(_ODD)}"
        candidates = free, f"w{number}", f"W{number}", f"#{number % 2**24:06x}"
        return next(text for text in candidates if re.fullmatch(schema.get("pattern", ".*"), text))
