import ast
import inspect
import re
import textwrap
from collections.abc import Iterable
from http import HTTPStatus

from glasswork.core.errors import AppError

from .program import kinds_of, listed, make_app

_HEAD = """# Errors

Every answer that is not a 2xx or 3xx has one shape, `{"error": {"code", "message", "details",
"request_id"}}`. Decide by the `code`: the message is for people, and may change. What an operation can refuse
with stands in the [OpenAPI document](../openapi.json), at the operation; here is each code once, with the
words in which it comes, where they are always the same. `…` is what it was about.
"""

_TABLE = """
## {status} {phrase}

| Code | What it says | Where |
|---|---|---|
"""
_MOST_OPERATIONS = 4


def errors_page() -> str:
    where = _operations()
    told: dict[int, dict[str, list[str]]] = {}
    for kind in sorted(kinds_of(AppError), key=_order):
        words = told.setdefault(kind.status, {}).setdefault(kind.code, [])
        words += [each for each in [meaning_of(kind)] if each and each not in words]
    sections = (_section(status, codes, where) for status, codes in sorted(told.items()))
    return _HEAD + "".join(sections)


def meaning_of(kind: type[AppError]) -> str:
    """The words it is raised with, where they are its own, and what its docstring adds; "" for neither."""
    words = _message(kind)
    lines = inspect.cleandoc(kind.__doc__ or "") if "__doc__" in vars(kind) else ""
    return " ".join(filter(None, [words, lines.split("\n\n")[0].replace("\n", " ")]))


def _message(kind: type[AppError]) -> str:
    if "__init__" not in vars(kind):
        return ""
    made = ast.parse(textwrap.dedent(inspect.getsource(vars(kind)["__init__"])))
    calls = (each for each in ast.walk(made) if isinstance(each, ast.Call))
    said = next(call.args for call in calls if ast.unparse(call.func) == "super().__init__")
    return _text(said[0], made) if said else ""


def _text(said: ast.expr, made: ast.Module) -> str:
    match said:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        case ast.Name(id=name):
            named = (
                each.value
                for each in ast.walk(made)
                if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == name
            )
            return next((_text(value, made) for value in named), "")
        case _:
            return ""


def _order(kind: type[AppError]) -> tuple[int, str, str]:
    return kind.status, kind.code, f"{kind.__module__}.{kind.__name__}"


def _operations() -> dict[tuple[str, str], list[str]]:
    """By status and code, the operations that declare them."""
    found: dict[tuple[str, str], list[str]] = {}
    for methods in make_app().openapi()["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                for code in re.findall(r"`([A-Z_0-9]+)`", answer["description"]):
                    found.setdefault((status, code), []).append(operation["operationId"])
    return found


def _section(status: int, codes: dict[str, list[str]], where: dict[tuple[str, str], list[str]]) -> str:
    rows = (
        f"| `{code}` | {' '.join(words)} | {_told(where.get((str(status), code), []))} |\n"
        for code, words in sorted(codes.items())
    )
    return _TABLE.format(status=status, phrase=HTTPStatus(status).phrase) + "".join(rows)


def _told(operations: Iterable[str]) -> str:
    """Those that none declares come from in front of all operations, or inside of an import or a stream."""
    names = sorted(set(operations))
    return listed(names) if len(names) <= _MOST_OPERATIONS else f"{len(names)} operations"
