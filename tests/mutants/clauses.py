"""Conditions of SQLAlchemy's statements with one mistake each."""

import ast
from collections.abc import Callable, Iterator

from .mutants import OPPOSITE, Change, Source, name_of, wrong_comparisons

_SQLALCHEMY = '__import__("sqlalchemy")'
_OF_WORKSPACE = {
    f"{name}_id" for name in ("project", "task", "label", "comment", "webhook", "import", "event")
}
"""What two rows have in common lies in one workspace."""
_BOTH, _ONE_OF = {"where", "and_", "exists"}, {"or_"}


def wrong_clauses(source: Source, concerns: Callable[[str], object]) -> Iterator[Change]:
    """Conditions that are forgotten or wrong, of those whose text is of concern."""
    for parent in ast.walk(source.tree):
        conjuncts, alternatives = _conditions(parent)
        for condition in [*conjuncts, *alternatives]:
            if not concerns(source.text(condition)):
                continue
            if not _follows(condition, conjuncts):
                value = "true" if condition in conjuncts else "false"
                yield "forgotten", condition, f"{_SQLALCHEMY}.{value}()"
            yield from _turned(source, condition)
        match parent:
            case ast.Call(ast.Name("and_" | "or_" as name) as function) if concerns(source.text(parent)):
                yield "and for or", function, f"{_SQLALCHEMY}.{'or_' if name == 'and_' else 'and_'}"


def _turned(source: Source, condition: ast.expr) -> Iterator[Change]:
    """What a moment more or less changes nobody notices: of two times the later becomes the earlier one."""
    yield from wrong_comparisons(source, condition, OPPOSITE)
    match condition:
        case ast.Call(ast.Attribute(value, "is_" | "is_not" as name), [ast.Constant(None)]):
            other = "is_not" if name == "is_" else "is_"
            yield "turned", condition, f"{source.text(value)}.{other}(None)"


def _conditions(node: ast.AST) -> tuple[list[ast.expr], list[ast.expr]]:
    """Return of what all must hold, and of what one must."""
    match node:
        case ast.Call(function, arguments) if name_of(function) in _BOTH:
            return arguments, []
        case ast.Call(function, arguments) if name_of(function) in _ONE_OF:
            return [], arguments
        case ast.Call(ast.Attribute(_, "join" | "outerjoin"), [_, condition, *_]):
            return [condition], []
        case ast.Assign(value=ast.Tuple(elements)) if any(isinstance(each, ast.Compare) for each in elements):
            return elements, []
    return [], []


def _follows(condition: ast.expr, others: list[ast.expr]) -> bool:
    """Whether it is the workspace's part of a foreign key: the id beside it is unique over all workspaces.

    So it follows from the rest; it stands there for the plans, and for databases that are distributed.
    """
    match condition:
        case ast.Compare(
            ast.Attribute(one, "workspace_id"), [ast.Eq()], [ast.Attribute(other, "workspace_id")]
        ):
            tables = {ast.unparse(one), ast.unparse(other)}
            return any(_is_key(each, tables) for each in others)
    return False


def _is_key(condition: ast.expr, tables: set[str]) -> bool:
    match condition:
        case ast.Compare(ast.Attribute(one, first), [ast.Eq()], [ast.Attribute(other, second)]):
            is_of_both = {ast.unparse(one), ast.unparse(other)} == tables
            return is_of_both and ("id" in {first, second} or (first == second and first in _OF_WORKSPACE))
    return False
