"""Rules with one mistake in each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_FLIPPED = {">": "<", ">=": "<", "<": ">", "<=": ">", "==": "!=", "!=": "=="}
_COMPARISON = re.compile(r"(?<= )(>=|<=|==|!=|>|<)(?= )")
_MATCHER = re.compile(r'(?<=\w)(=~|=)(?=")')
_NUMBER = re.compile(r"(?<=[ (])\d+(?:\.\d+)?(?:e-?\d+)?(?=[ ),\n]|$)")
_ARITHMETIC = re.compile(r"(?<= )[-+*/](?= )|(?<=\n)/(?= )")
_OPPOSITES = {"-": "+", "+": "-", "*": "/", "/": "*"}
_LEG = re.compile(r"\n(?=and |or )")


@dataclass(frozen=True)
class Mutant:
    kind: str
    group: str
    place: int
    """Of the rule in its group."""
    rule: Mapping[str, Any]

    def __str__(self) -> str:
        name = self.rule.get("alert") or self.rule["record"]
        lasts = f" for {self.rule['for']}" if "for" in self.rule else ""
        return f"{self.kind}: {self.group}, {name}: {self.rule['expr']}{lasts}"


def mutants(rules: Mapping[str, Any]) -> Iterator[Mutant]:
    for group in rules["groups"]:
        for place, rule in enumerate(group["rules"]):
            for kind, changed in _mutations(rule):
                yield Mutant(kind, group["name"], place, {**rule, **changed})


def _mutations(rule: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    expression: str = rule["expr"]
    for kind, changed in _changes(expression):
        if changed != expression:
            yield kind, {"expr": changed}
    if "for" in rule:
        lasts = rule["for"]
        yield "for no time", {"for": "0s"}
        yield "for ten times as long", {"for": f"{lasts[:-1]}0{lasts[-1]}"}


def _changes(expression: str) -> Iterator[tuple[str, str]]:
    for found in _COMPARISON.finditer(expression):
        yield "flipped", _replaced(expression, found, _FLIPPED[found[0]])
    for found in _NUMBER.finditer(expression):
        for kind, factor in (("ten times", 10), ("a tenth", 0.1)):
            yield kind, _replaced(expression, found, f"{float(found[0]) * factor:g}")
    for found in _MATCHER.finditer(expression):
        yield "other matcher", _replaced(expression, found, {"=~": "!~", "=": "!="}[found[0]])
    for found in _ARITHMETIC.finditer(expression):
        yield "other sign", _replaced(expression, found, _OPPOSITES[found[0]])
    yield from _with_a_leg_less(expression)


def _with_a_leg_less(expression: str) -> Iterator[tuple[str, str]]:
    legs = _LEG.split(expression)
    for dropped in range(len(legs) if len(legs) > 1 else 0):
        left = [leg for place, leg in enumerate(legs) if place != dropped]
        text = re.sub(r"^\(?(?:and |or )?", "", "\n".join(left))
        # Of alternatives in parentheses the first and the last one have a parenthesis each.
        if expression.startswith("("):
            tail = expression[expression.rindex(")") + 1 :]
            body = text.removesuffix(tail) if tail and text.endswith(tail) else text
            body = body.removesuffix(")") if dropped != len(legs) - 1 else body
            text = f"({body}){tail}"
        yield "a leg less", text


def _replaced(text: str, found: re.Match[str], by: str) -> str:
    return text[: found.start()] + by + text[found.end() :]
