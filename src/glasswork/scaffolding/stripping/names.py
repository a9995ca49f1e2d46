"""What the base is called: its package, its command, its roles in the database, its metrics."""

import keyword
import re
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Final

from .errors import StripError

OURS: Final = "glasswork"
_NAME = re.compile(r"[a-z][a-z0-9]{1,15}")
_FOLDERS = frozenset({"bench", "core", "deploy", "docs", "features", "migrations", "src", "tests"})
_REFUSALS: Mapping[str, Callable[[str], bool]] = {
    "must be 2 to 16 small letters and digits, beginning with a letter": lambda name: (
        not _NAME.fullmatch(name)
    ),
    "is a word of Python": keyword.iskeyword,
    "is a module of Python's": lambda name: name in sys.stdlib_module_names,
    "is a folder of the repository": lambda name: name in _FOLDERS,
    "is kept by PostgreSQL for itself": lambda name: (
        name.startswith("pg") or name in {"public", "jobs", "user"}
    ),
    "is what there is already": lambda name: name == OURS,
    "is a package that is installed": lambda name: find_spec(name) is not None,
}


def check_name(name: str) -> None:
    """Raise StripError if no package can have the name."""
    for reason, is_so in _REFUSALS.items():
        if is_so(name):
            raise StripError(f"The name {name!r} {reason}.")


def renamed(text: str, name: str) -> str:
    return (
        text.replace(OURS, name)
        .replace(OURS.capitalize(), name.capitalize())
        .replace(OURS.upper(), name.upper())
    )
