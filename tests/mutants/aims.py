"""Where a mistake would let somebody in: the policies, what statements ask for, and the tokens."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from itertools import chain, islice, zip_longest
from pathlib import Path

from .clauses import wrong_clauses
from .harmless import HARMLESS
from .mutants import Change, Mutant, Source, dropped_checks, mistakes, wrong_limits

SOURCES = Path(__file__).parents[2] / "src"

_SESSIONS = ("core/tokens.py", "core/http/callers.py", "features/accounts/auth.py")
_SESSION_CLAUSES = tuple(
    f"features/{name}.py" for name in ("accounts/access", "accounts/repository", "api_tokens/repository")
)
_LIMITED = (
    "core/tokens.py",
    *(f"features/{name}/models.py" for name in ("accounts", "credentials", "invitations")),
)
_FOR_NOBODY = {"retention", "restoring", "invariants", "operations", "seals", "jobs"}
"""Slices whose statements are asked by none who may see only a part."""
_OF_CONCERN = re.compile(
    r"workspace_id|project_id|user_id|author_id|created_by|membership|access\.c|_at\b|is_active|token"
    r"|ACTOR|SIGNED_IN|OPEN|STAND|LIVE|PENDING|MINE|SOMEWHERE|KEPT",
    re.IGNORECASE,
)


@cache
def of_policies() -> tuple[Mutant, ...]:
    """Who may: the functions that decide it, and where they are asked."""
    return _made(chain(_deciding(), _asking()))


@cache
def of_clauses() -> tuple[Mutant, ...]:
    """Who sees: conditions of statements."""
    paths = [*_features("access.py"), *_features("repository.py")]
    sources = [_source(path) for path in paths if path not in _SESSION_CLAUSES]
    return _made((each, change) for each in sources for change in _clauses(each))


@cache
def of_sessions() -> tuple[Mutant, ...]:
    """As whom: what is read of a token, and what it must be in the database."""
    return _made(chain(_reading(), _standing()))


def sample(number: int, seed: int, place: str = "") -> list[Mutant]:
    """As many of each part, as long as it has any; none that is harmless; `place` is in each one's name.

    Each mutant's own name decides: when the sources change, the sample stays the same but for what changed.
    """

    def order(mutant: Mutant) -> bytes:
        return sha256(f"{seed} {mutant.name}".encode()).digest()

    parts = [sorted(part(), key=order) for part in (of_policies, of_clauses, of_sessions)]
    in_turn = (mutant for row in zip_longest(*parts) for mutant in row if mutant)
    return list(islice((m for m in in_turn if place in m.name and m.name not in HARMLESS), number))


def all_mutants() -> tuple[Mutant, ...]:
    return of_policies() + of_clauses() + of_sessions()


def source_of(path: Path) -> Source:
    return Source(path, (SOURCES / path).read_bytes())


def _made(changes: Iterator[tuple[Source, Change]]) -> tuple[Mutant, ...]:
    """Each once, although two of the ways to look for it lead there."""
    return tuple(dict.fromkeys(source.mutant(change) for source, change in changes))


def _deciding() -> Iterator[tuple[Source, Change]]:
    for path in (*_features("policy.py"), "features/workspaces/models.py"):
        source = _source(path)
        for function in _functions(source.tree):
            if function.name.startswith("can_") or function.name == "reaches":
                for change in mistakes(source, function):
                    yield source, change
                for each in ast.walk(function):
                    if isinstance(each, ast.Return) and each.value:
                        yield source, ("negated", each.value, f"not ({source.text(each.value)})")


def _asking() -> Iterator[tuple[Source, Change]]:
    for path in _features("service.py"):
        source = _source(path)
        for change in dropped_checks(source.tree):
            if _is_about_roles(source, change):
                yield source, change


def _is_about_roles(source: Source, change: Change) -> bool:
    return "can_" in source.text(change[1])


def _reading() -> Iterator[tuple[Source, Change]]:
    for path in _SESSIONS:
        source = _source(path)
        for function in _functions(source.tree):
            for change in mistakes(source, function):
                yield source, change
    for path in _LIMITED:
        source = _source(path)
        for change in wrong_limits(source.tree):
            yield source, change


def _standing() -> Iterator[tuple[Source, Change]]:
    for path in _SESSION_CLAUSES:
        source = _source(path)
        for change in _clauses(source):
            yield source, change
        for function in _functions(source.tree):
            for change in mistakes(source, function):
                yield source, change


def _clauses(source: Source) -> Iterator[Change]:
    return wrong_clauses(source, _OF_CONCERN.search)


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def _features(name: str) -> list[str]:
    found = sorted((SOURCES / "glasswork/features").glob(f"*/{name}"))
    return [f"features/{path.parent.name}/{name}" for path in found if path.parent.name not in _FOR_NOBODY]


def _source(path: str) -> Source:
    return source_of(Path("glasswork", path))
