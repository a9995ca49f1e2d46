"""Sources with one mistake each."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_TURNED = {"==": "!=", "!=": "==", "is": "is not", "is not": "is", "in": "not in", "not in": "in"}
A_STEP_ON = _TURNED | {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
OPPOSITE = _TURNED | {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_RANKS = {
    "Role": ("VIEWER", "MEMBER", "ADMIN", "OWNER"),
    "SystemRole": ("USER", "ADMIN"),
}
_CHECKS = re.compile(r"(require|refuse|ensure)(_\w+)?")
_LIMITS = re.compile(r"LIFETIME|SKEW|GRACE|RECENT|LENGTH")

Change = tuple[str, ast.AST, str]
"""What kind of mistake it is, what is replaced, and by what."""


@dataclass(frozen=True)
class Mutant:
    kind: str
    path: Path
    """Below `src`."""
    line: int
    place: str
    """The name of what it is in."""
    before: str
    after: str
    content: bytes = field(repr=False)
    """Of the whole file."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.mistake}"

    @property
    def name(self) -> str:
        return f"{self.path}: {self.mistake}"

    @property
    def mistake(self) -> str:
        """What is wrong, wherever the lines move."""
        return f"{self.kind} in {self.place}: {self.before} -> {self.after}"


@dataclass(frozen=True)
class Source:
    path: Path
    content: bytes

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.content)

    @cached_property
    def _lines(self) -> list[int]:
        """Where each begins."""
        ends = [found.end() for found in re.finditer(b"\n", self.content)]
        return [0, *ends]

    def mutant(self, change: Change) -> Mutant:
        kind, node, after = change
        start, end = self._span(node)
        content = self.content[:start] + after.encode() + self.content[end:]
        line: int = node.lineno  # type: ignore[attr-defined]
        before, after = (" ".join(text.split()) for text in (self.text(node), after))
        return Mutant(kind, self.path, line, self._place(line), before, after, content)

    def text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self.content[start:end].decode()

    def _place(self, line: int) -> str:
        names: list[str] = []
        inside: list[ast.stmt] = self.tree.body
        while around := [each for each in inside if each.lineno <= line <= (each.end_lineno or 0)]:
            names += filter(None, [_name_of(around[0])])
            inside = getattr(around[0], "body", [])
        return ".".join(names)

    def _span(self, node: ast.AST) -> tuple[int, int]:
        place: ast.expr = node  # type: ignore[assignment]
        assert place.end_lineno
        assert place.end_col_offset is not None
        begin = self._lines[place.lineno - 1] + place.col_offset
        return begin, self._lines[place.end_lineno - 1] + place.end_col_offset


def mistakes(source: Source, node: ast.AST) -> Iterator[Change]:
    """Those of Python that can be made somewhere in the node."""
    for each in ast.walk(node):
        yield from wrong_comparisons(source, each, A_STEP_ON)
        yield from _wrong_logic(source, each)
        match each:
            case ast.Constant(bool() as value):
                yield "true for false", each, str(not value)
            case ast.Attribute(ast.Name(rank), name) if rank in _RANKS and name in _RANKS[rank]:
                for neighbour in _neighbours(_RANKS[rank], name):
                    yield "neighbouring role", each, f"{rank}.{neighbour}"
            case ast.Raise():
                yield "let pass", each, "pass"
    yield from dropped_checks(node)


def dropped_checks(node: ast.AST) -> Iterator[Change]:
    """Statements that call what refuses, or raises."""
    for each in ast.walk(node):
        match each:
            case ast.Expr(ast.Call(function) | ast.Await(ast.Call(function))) if _CHECKS.fullmatch(
                name_of(function)
            ):
                yield "let pass", each, "pass"


def wrong_limits(node: ast.AST) -> Iterator[Change]:
    """One more and one less of what a constant says how long it lasts."""
    for each in ast.walk(node):
        match each:
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(
                ast.Name(name), value=ast.expr() as value
            ):
                numbers = ast.walk(value) if _LIMITS.search(name) else ()
                for number in numbers:
                    if isinstance(number, ast.Constant) and type(number.value) is int:
                        yield "one more", number, str(number.value + 1)
                        yield "one less", number, str(number.value - 1)


def wrong_comparisons(source: Source, node: ast.AST, wrong: dict[str, str]) -> Iterator[Change]:
    match node:
        case ast.Compare(left, [operator], [right]):
            after = wrong[_OPERATORS[type(operator)]]
            yield "turned", node, f"{source.text(left)} {after} {source.text(right)}"
        case ast.Compare(left, [first, second], [middle, right]):
            before = [_OPERATORS[type(each)] for each in (first, second)]
            for place in range(2):
                one, two = (wrong[each] if n == place else each for n, each in enumerate(before))
                texts = (source.text(each) for each in (left, middle, right))
                yield "turned", node, "{} {one} {} {two} {}".format(*texts, one=one, two=two)


def _wrong_logic(source: Source, node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.BoolOp(op, values):
            other = " or " if isinstance(op, ast.And) else " and "
            yield "and for or", node, f"({other.join(f'({source.text(value)})' for value in values)})"
        case ast.UnaryOp(ast.Not(), operand):
            yield "negated", node, f"bool({source.text(operand)})"
        case ast.If(test) | ast.IfExp(test):
            yield "negated", test, f"(not ({source.text(test)}))"


def _neighbours(ranks: tuple[str, ...], name: str) -> list[str]:
    place = ranks.index(name)
    return [*ranks[max(place - 1, 0) : place], *ranks[place + 1 : place + 2]]


def _name_of(statement: ast.stmt) -> str:
    match statement:
        case ast.ClassDef(name) | ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
            return name
        case ast.Assign([ast.Name(name)]) | ast.AnnAssign(ast.Name(name)):
            return name
    return ""


def name_of(function: ast.expr) -> str:
    match function:
        case ast.Name(name) | ast.Attribute(_, name):
            return name
    return ""
