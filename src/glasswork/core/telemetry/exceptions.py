"""What a log line tells of an exception: its kind and its place, and no text with a value in it."""

import hashlib
import os
import re
import sys
import traceback
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

from glasswork.core.errors import AppError, StartError
from glasswork.core.telemetry.redaction import scrub

MAX_FRAMES = 50
MAX_CAUSES = 10

_SQLSTATE = re.compile(r"[0-9A-Z]{5}", re.ASCII)


def describe(error: BaseException) -> dict[str, Any]:
    """Return what JSON can carry.

    The stack ends with the place where it was raised. `causes` are the exceptions that it was raised from
    and those that a group holds. The hash is the same for the same kind at the same place, in every run.
    """
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    related = _related(error)
    told: dict[str, Any] = {"type": type_name(error)}
    if isinstance(error, AppError | StartError):
        told["message"] = scrub(str(error))
    if sqlstate := next(_sqlstates([error, *related]), None):
        told["sqlstate"] = sqlstate
    if related:
        told["causes"] = [_withplace(cause) for cause in related]
    told["hash"] = _hash([error, *related], [code for code, _ in frames])
    told["stack"] = [place(code, line) for code, line in frames[-MAX_FRAMES:]]
    return told


def type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _related(error: BaseException) -> list[BaseException]:
    """What is below it, each once; the nearest first."""
    found = [error]
    for current in found:
        cause = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        members = current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        for other in (cause, getattr(current, "orig", None), *members):
            if isinstance(other, BaseException) and not any(other is one for one in found):
                found.append(other)
            if len(found) > MAX_CAUSES:
                return found[1:]
    return found[1:]


def _sqlstates(errors: list[BaseException]) -> Iterator[str]:
    for error in errors:
        state = getattr(error, "sqlstate", None)
        if isinstance(state, str) and _SQLSTATE.fullmatch(state):
            yield state


def _withplace(error: BaseException) -> str:
    last = error.__traceback__
    if last is None:
        return type_name(error)
    while last.tb_next is not None:
        last = last.tb_next
    return f"{type_name(error)} at {place(last.tb_frame.f_code, last.tb_lineno)}"


def place(code: CodeType, line: int | None) -> str:
    """File, line and function, the same on every machine."""
    return f"{_below_import_path(code.co_filename)}:{line} {code.co_qualname}"


def _hash(errors: list[BaseException], codes: list[CodeType]) -> str:
    """Line numbers change with every edit, and a recursion is not always equally deep."""
    places = (f"{_below_import_path(code.co_filename)} {code.co_qualname}" for code in codes)
    text = "\n".join([*map(type_name, errors), *dict.fromkeys(places)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@lru_cache(maxsize=4096)
def _below_import_path(filename: str) -> str:
    """The same on every machine, wherever Python and its packages are installed."""
    folders = [f"{folder}{os.sep}" for folder in sys.path if folder]
    longest = max((folder for folder in folders if filename.startswith(folder)), key=len, default="")
    return filename.removeprefix(longest)
