"""Whether what was written for one OpenAPI document still works with another one.

A value that the caller sends must be welcome in the new document when it was in the old one, a value that the
caller is sent must be one that the old document told of: each time one schema has to lie within the other.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Schema = dict[str, Any]

MOST = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
LEAST = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
ANY = ("array", "boolean", "integer", "null", "number", "object", "string")
SAME = ("pattern", "format", "multipleOf", "uniqueItems", "contentEncoding")


@dataclass(frozen=True)
class Break:
    operation: str
    """Its id in the old document."""
    text: str

    def __str__(self) -> str:
        return f"`{self.operation}`: {self.text}"


def breaks(old: Document, new: Document) -> list[Break]:
    comparison = _Comparison(old, new)
    return [
        Break(before["operationId"], text)
        for path, methods in old["paths"].items()
        for method, before in methods.items()
        for text in comparison.of_operations(before, new["paths"].get(path, {}).get(method))
    ]


@dataclass(frozen=True)
class _Comparison:
    old: Document
    new: Document

    def of_operations(self, old: Schema, new: Schema | None) -> Iterator[str]:
        if new is None:
            yield "is gone"
            return
        if old["operationId"] != new["operationId"]:
            yield f"is called `{new['operationId']}` now"
        yield from _of_security(old.get("security", []), new.get("security", []))
        yield from self._of_parameters(_parameters(old), _parameters(new))
        yield from self._of_bodies(old.get("requestBody"), new.get("requestBody"))
        yield from self._of_answers(old["responses"], new["responses"])

    def _of_parameters(self, old: dict[str, Schema], new: dict[str, Schema]) -> Iterator[str]:
        yield from (f"{name} is gone" for name in old.keys() - new.keys())
        for name, parameter in new.items():
            before = old.get(name)
            if parameter.get("required") and not (before and before.get("required")):
                yield f"{name} is required now"
            if before:
                yield from self._sent(before["schema"], parameter["schema"], name)

    def _of_bodies(self, old: Schema | None, new: Schema | None) -> Iterator[str]:
        if old is None or new is None:
            if old or (new and new.get("required")):
                yield "the body is gone" if old else "a body is required now"
            return
        if new.get("required") and not old.get("required"):
            yield "a body is required now"
        yield from self._of_contents(old["content"], new["content"], "body", self._sent)

    def _of_answers(self, old: dict[str, Schema], new: dict[str, Schema]) -> Iterator[str]:
        yield from (f"{status} is gone" for status in old.keys() - new.keys())
        yield from (f"{status} is a new success" for status in new.keys() - old.keys() if status < "300")
        for status in old.keys() & new.keys():
            headers = old[status].get("headers", {}).keys() - new[status].get("headers", {}).keys()
            yield from (f"{status}: the header {name} is gone" for name in headers)
            contents = old[status].get("content", {}), new[status].get("content", {})
            yield from self._of_contents(*contents, status, self._answered)

    def _of_contents(
        self, old: Schema, new: Schema, place: str, compare: Callable[[Schema, Schema, str], Iterator[str]]
    ) -> Iterator[str]:
        yield from (f"{place}: {media} is gone" for media in old.keys() - new.keys())
        for media in old.keys() & new.keys():
            yield from compare(old[media].get("schema", {}), new[media].get("schema", {}), place)

    def _sent(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        yield from _Fit(self.old, self.new, takes_less=False).faults(old, new, place)

    def _answered(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        yield from _Fit(self.new, self.old, takes_less=True).faults(new, old, place)


@dataclass(frozen=True)
class _Fit:
    """Whether all that is in one schema is in the other one too."""

    inside: Document
    outside: Document
    takes_less: bool
    """The inner one is new: nothing may have got lost."""
    seen: frozenset[tuple[str, str]] = frozenset()

    @property
    def _lacking(self) -> str:
        return "new" if self.takes_less else "gone"

    def faults(self, inner: Schema, outer: Schema, place: str) -> Iterator[str]:
        pair = (inner.get("$ref", ""), outer.get("$ref", ""))
        if all(pair) and pair in self.seen:
            return
        within = _Fit(self.inside, self.outside, self.takes_less, self.seen | {pair})
        choices = list(_choices(outer, self.outside))
        for choice in _choices(inner, self.inside):
            found = [list(within._of_one(choice, each, place)) for each in choices]
            yield from min(found, key=len)

    def _of_one(self, inner: Schema, outer: Schema, place: str) -> Iterator[str]:
        if unknown := _types(inner) - _types(outer):
            yield f"{place}: {', '.join(sorted(unknown))} is {self._lacking}"
            return
        yield from self._of_values(inner, outer, place)
        yield from _of_limits(inner, outer, place)
        yield from self._of_fields(inner, outer, place)
        if "items" in outer:
            yield from self.faults(inner.get("items", {}), outer["items"], f"{place}[]")

    def _of_values(self, inner: Schema, outer: Schema, place: str) -> Iterator[str]:
        known, possible = _values(outer), _values(inner)
        if known and not possible:
            yield f"{place}: more than {', '.join(sorted(known))}"
        elif known:
            yield from (f"{place}: {value} is {self._lacking}" for value in sorted(possible - known))
        if self.takes_less and possible:
            yield from (f"{place}: {value} is gone" for value in sorted(known - possible))

    def _of_fields(self, inner: Schema, outer: Schema, place: str) -> Iterator[str]:
        ours, theirs = inner.get("properties", {}), outer.get("properties", {})
        gone = theirs.keys() - ours.keys() if self.takes_less else ours.keys() - theirs.keys()
        yield from (f"{place}.{name} is gone" for name in gone)
        needed = set(outer.get("required", ())) - set(inner.get("required", ()))
        yield from (
            f"{place}.{name} is {'not always there' if self.takes_less else 'required'} now"
            for name in needed - gone
        )
        for name in ours.keys() & theirs.keys():
            yield from self.faults(ours[name], theirs[name], f"{place}.{name}")
        more, allowed = (each.get("additionalProperties", True) for each in (inner, outer))
        if isinstance(more, dict) and isinstance(allowed, dict):
            yield from self.faults(more, allowed, f"{place}.*")
        elif allowed is False and more is not False and not self.takes_less:
            yield f"{place}: no other fields are taken now"


def _of_limits(inner: Schema, outer: Schema, place: str) -> Iterator[str]:
    for name in (*MOST, *LEAST):
        if name in outer:
            sign = 1 if name in MOST else -1
            if name not in inner or sign * inner[name] > sign * outer[name]:
                yield f"{place}: {name} {inner.get(name, 'none')} beyond {outer[name]}"
    for name in SAME:
        if name in outer and inner.get(name) != outer[name]:
            yield f"{place}: {name} {inner.get(name, 'none')} is not {outer[name]}"


def _of_security(old: list[Schema], new: list[Schema]) -> Iterator[str]:
    if not old and new:
        yield "asks who calls now"
    yield from (f"no longer goes by {_shown(each)}" for each in old if each not in new)


def _shown(requirement: dict[str, list[str]]) -> str:
    return " and ".join(" ".join([scheme, *scopes]) for scheme, scopes in requirement.items())


def _parameters(operation: Schema) -> dict[str, Schema]:
    return {f"{each['in']} {each['name']}": each for each in operation.get("parameters", ())}


def _choices(schema: Schema, document: Document) -> Iterator[Schema]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    among = schema.get("anyOf") or schema.get("oneOf")
    if among:
        for each in among:
            yield from _choices(each, document)
    else:
        yield schema


def _types(schema: Schema) -> set[str]:
    named = schema.get("type", ANY)
    types = {named} if isinstance(named, str) else set(named)
    return types | {"integer"} if "number" in types else types


def _values(schema: Schema) -> set[str]:
    """As JSON; empty: any."""
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return set(map(json.dumps, values))
