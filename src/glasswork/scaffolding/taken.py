"""What is there already, and so can be the name of no other feature."""

import ast
import builtins
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS

from .checkout import Checkout
from .errors import RefusedError
from .names import Names


def ensure_free(checkout: Checkout, names: Names, sources: Iterable[str]) -> None:
    """Raise RefusedError with the first thing that is in the way; the sources are those of any feature."""
    for reason in chain(_words(names, sources), _places(checkout, names), _marked(checkout, names)):
        raise RefusedError(f"There can be no feature {names.plural!r}: {reason}")


def _words(names: Names, sources: Iterable[str]) -> Iterator[str]:
    known = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}.union(*map(_names_in, sources))
    for name in (names.plural, names.singular, names.entity, names.collection):
        if name in known:
            yield f"the source of a feature calls something else {name!r}."
    if names.plural in {*RESERVED_WORDS, "values"}:  # which can be the name of a table, but of no type
        yield f"{names.plural!r} is a reserved word of SQL."


def _places(checkout: Checkout, names: Names) -> Iterator[str]:
    source = Path("src", checkout.package)
    for place in (
        source / "features" / names.plural,
        source / names.plural,
        Path("tests/features", names.plural),
    ):
        if checkout.has_sources(place):
            yield f"{place} is there already."
    for module in (source / "routers.py", source / "models.py"):
        if names.plural in _names_in(checkout.read(module)):
            yield f"{module} knows {names.plural!r} already."


def _marked(checkout: Checkout, names: Names) -> Iterator[str]:
    marks = [(re.compile(pattern, re.MULTILINE), what) for pattern, what in _marks(names).items()]
    for path in checkout.sources():
        text = path.read_text()
        for pattern, what in marks:
            if pattern.search(text):
                yield f"{path.relative_to(checkout.root)} has {what} already."


def _marks(names: Names) -> Mapping[str, str]:
    """What would be there twice."""
    parts = "Create|Update|Read|Query|Service|Repository|NotFoundError"
    return {
        rf'__tablename__ = "{names.plural}"': f"a table {names.plural!r}",
        rf'Reference\("{names.singular}"\)': f"ids of the kind {names.singular!r}",
        rf'\btype = "{names.singular}\.': f"events of the kind {names.singular!r}",
        rf'"{names.path}(/|")': f"the path {names.path!r}",
        rf'"/workspaces/{{workspace_id}}{names.path}(/|")': f"the path {names.path!r} of a workspace",
        rf'"name": "{names.tag}"': f"the tag {names.tag!r}",
        rf'= "{names.plural}:(read|write)"': f"scopes of {names.plural!r}",
        rf"^class {names.entity}({parts})?\(": f"a class {names.entity!r}",
        rf"^async def (create|get|update|delete)_{names.singular}\(": f"an operation for {names.singular!r}",
        rf'code = "{names.singular.upper()}_NOT_FOUND"': f"the code {names.singular.upper()}_NOT_FOUND",
    }


def _names_in(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name | ast.arg):
            found.add(node.id if isinstance(node, ast.Name) else node.arg)
    return found
