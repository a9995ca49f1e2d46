"""Changes of source files: where something belongs is found in their syntax, the rest stays as it was."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Edit = Callable[[str], str]
"""Returns the file's new text; raises LostPlaceError."""

Literal = ast.Dict | ast.List | ast.Set | ast.Tuple


class LostPlaceError(Exception):
    """The file no longer has what says where something belongs."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """Text that goes behind a place, which is told as the syntax tree does: by line and byte."""

    line: int
    column: int
    text: str

    def into(self, source: str) -> str:
        lines = source.encode().splitlines(keepends=True)
        at = sum(map(len, lines[: self.line - 1])) + self.column
        whole = b"".join(lines)
        return (whole[:at] + self.text.encode() + whole[at:]).decode()


def append(name: str, item: str) -> Edit:
    """Add to the end of the collection that the module calls `name`, also one within a call."""

    def edit(source: str) -> str:
        for statement in ast.parse(source).body:
            if name in _bound(statement) and (literal := _literal(getattr(statement, "value", None))):
                return _at_end(literal, item).into(source)
        raise LostPlaceError(name)

    return edit


def append_to_result(function: str, item: str) -> Edit:
    """Add to the end of the dictionary that the function returns."""

    def edit(source: str) -> str:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return) and isinstance(inner.value, ast.Dict):
                        return _at_end(inner.value, item).into(source)
        raise LostPlaceError(f"{function}()")

    return edit


def append_to_class(name: str, line: str) -> Edit:
    """Add a line behind the last statement of the class."""

    def edit(source: str) -> str:
        for statement in ast.parse(source).body:
            if isinstance(statement, ast.ClassDef) and statement.name == name:
                last = statement.body[-1]
                end = last.end_lineno or last.lineno, last.end_col_offset or 0
                return Insertion(*end, f"\n{' ' * last.col_offset}{line}").into(source)
        raise LostPlaceError(f"class {name}")

    return edit


def add_import(line: str) -> Edit:
    """Add it behind the others; ruff puts it in its place."""

    def edit(source: str) -> str:
        imports = [
            statement
            for statement in ast.parse(source).body
            if isinstance(statement, ast.Import | ast.ImportFrom)
        ]
        if not imports:
            raise LostPlaceError("import")
        last = imports[-1]
        return Insertion(last.end_lineno or last.lineno, last.end_col_offset or 0, f"\n{line}").into(source)

    return edit


def add_line(pattern: str, line: str, *, ahead: bool = False) -> Edit:
    """Add it behind the last line that fits the pattern, or ahead of the first one."""

    def edit(source: str) -> str:
        lines = source.splitlines(keepends=True)
        fitting = [number for number, text in enumerate(lines) if re.fullmatch(pattern, text.rstrip("\n"))]
        if not fitting:
            raise LostPlaceError(pattern)
        lines.insert(fitting[0] if ahead else fitting[-1] + 1, f"{line}\n")
        return "".join(lines)

    return edit


def _bound(statement: ast.stmt) -> Iterator[str]:
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    return (target.id for target in targets if isinstance(target, ast.Name))


def _literal(value: ast.expr | None) -> Literal | None:
    if isinstance(value, ast.Call) and value.args:
        return _literal(value.args[0])
    return value if isinstance(value, Literal) else None


def _at_end(literal: Literal, item: str) -> Insertion:
    """Behind its last element: what follows, a comma and comments, goes behind the new one."""
    elements = literal.values if isinstance(literal, ast.Dict) else literal.elts
    if not elements:
        return Insertion(literal.lineno, literal.col_offset + 1, f"{item},")
    last = elements[-1]
    return Insertion(last.end_lineno or last.lineno, last.end_col_offset or 0, f",\n{item}")
