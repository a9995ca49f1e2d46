"""A filter as people type it: `status:open due:<7d label:bug,ui -assignee:me "port number" word`.

Terms stand between spaces, and all must hold; `-` before one means that it must not. A term is a field with
values, of which any may hold, or words of the text. What stands in quotes is meant as it is: no keyword.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

MAX_TERMS: Final = 30

_SPACES = re.compile(r"\s*")
_FIELD = re.compile(r"([A-Za-z_]+):")
_OPERATOR = re.compile(r"[<>]=?|")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE_VALUE = re.compile(r'[^\s",]*')
_WORD = re.compile(r'[^\s"]*')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class FilterSyntaxError(ValueError):
    """`column` counts from 1."""

    def __init__(self, column: int, message: str) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Value:
    text: str
    operator: str = ""
    """`<`, `<=`, `>` or `>=`."""
    is_quoted: bool = False
    meaning: Any = field(default=None, compare=False)
    """What the field's reader made of it."""

    @property
    def keyword(self) -> str | None:
        return None if self.is_quoted else self.text.lower()

    def __str__(self) -> str:
        if not self.is_quoted:
            return self.operator + self.text
        return self.operator + '"' + re.sub(r'(["\\])', r"\\\1", self.text) + '"'


@dataclass(frozen=True, slots=True)
class Term:
    field: str | None
    """None: the value is words of the text."""
    values: tuple[Value, ...]
    is_negated: bool = False

    def __str__(self) -> str:
        start = ("-" if self.is_negated else "") + (f"{self.field}:" if self.field else "")
        return start + ",".join(map(str, self.values))


Reader = Callable[[Value], Any]
"""Returns what a value of a field means, or raises ValueError, which says what is expected."""


def parse(text: str, fields: Mapping[str, Reader]) -> list[Term]:
    """Raise FilterSyntaxError where the text is none."""
    return list(_Parser(text, fields).terms())


def render(terms: Sequence[Term]) -> str:
    """Return the text that is parsed to these terms."""
    return " ".join(map(str, terms))


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, Reader]) -> None:
        self._text = text
        self._fields = fields
        self._at = 0

    def terms(self) -> Iterator[Term]:
        count = 0
        while self._skip(_SPACES) is not None and self._at < len(self._text):
            if count == MAX_TERMS:
                raise self._error(f"expected at most {MAX_TERMS} terms")
            yield self._term()
            count += 1
            if self._rest() and not self._rest()[0].isspace():
                raise self._error("expected a space")

    def _term(self) -> Term:
        is_negated = self._rest().startswith("-")
        self._at += is_negated
        if not self._rest() or self._rest()[0].isspace():
            raise self._error("expected a field or a word after -")
        named = _FIELD.match(self._text, self._at)
        if named is None:
            return Term(None, (self._value(_WORD),), is_negated)
        name = named[1].lower()
        if name not in self._fields:
            raise self._error(self._unknown(name))
        self._at = named.end()
        return Term(name, tuple(self._values(name)), is_negated)

    def _values(self, name: str) -> Iterator[Value]:
        while True:
            at = self._at
            value = self._value(_BARE_VALUE, self._skip(_OPERATOR) or "")
            try:
                meaning = self._fields[name](value)
            except ValueError as error:
                self._at = at
                raise self._error(f"expected {error}") from error
            yield Value(value.text, value.operator, value.is_quoted, meaning)
            if not self._rest().startswith(","):
                return
            self._at += 1

    def _value(self, bare: re.Pattern[str], operator: str = "") -> Value:
        if not self._rest().startswith('"'):
            at, text = self._at, self._skip(bare)
            if not text:
                self._at = at
                raise self._error("expected a value")
            return Value(text, operator)
        quoted = _QUOTED.match(self._text, self._at)
        if quoted is None:
            raise self._error('expected another " that ends what this one begins')
        if not quoted[1].strip():
            raise self._error("expected something between the quotes")
        self._at = quoted.end()
        return Value(_ESCAPED.sub(r"\1", quoted[1]), operator, is_quoted=True)

    def _unknown(self, name: str) -> str:
        near = get_close_matches(name, self._fields, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._fields)}"
        return f"there is no field {name[:20]}; {hint}"

    def _skip(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _rest(self) -> str:
        return self._text[self._at :]

    def _error(self, message: str) -> FilterSyntaxError:
        return FilterSyntaxError(self._at + 1, message)
