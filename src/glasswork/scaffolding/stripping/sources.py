"""Python files as text and as trees, so that what is cut out of them leaves the rest as it was written."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES: Final = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, *Definition.__args__)
ROOTS: Final = ("src", "deploy", "bench", "docs")
"""Folders from which modules are imported by their path below."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a source, from `start` to before `end`."""

    start: int
    end: int
    instead: bytes = b""


@dataclass(slots=True)
class Source:
    """A module: its path in the repository, its dotted name, and its text as UTF-8."""

    path: Path
    data: bytes
    name: str = field(init=False)
    tree: ast.Module = field(init=False)
    imports: list[ast.Import | ast.ImportFrom] = field(init=False)
    """Also those inside functions."""
    attributes: set[str] = field(init=False)
    """Of its classes: methods, fields, and what `__init__` sets."""
    _lines: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.name = module_name(self.path)
        self._parse()

    @property
    def is_test(self) -> bool:
        return self.path.parts[0] == "tests"

    def span(self, node: ast.AST) -> Span:
        """Return where an expression or a statement stands."""
        start = self._lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return Span(start, self._lines[node.end_lineno - 1] + node.end_col_offset)  # type: ignore[attr-defined]

    def text(self, node: ast.AST) -> bytes:
        span = self.span(node)
        return self.data[span.start : span.end]

    def replace(self, spans: Iterable[Span]) -> None:
        """Of spans that overlap the outermost counts."""
        end = len(self.data)
        pieces: list[bytes] = []
        kept: list[Span] = []
        for span in sorted(spans, key=lambda span: (span.start, -span.end)):
            if not kept or span.start >= kept[-1].end:
                kept.append(span)
        for span in reversed(kept):
            pieces += [self.data[span.end : end], span.instead]
            end = span.start
        pieces.append(self.data[:end])
        self.data = b"".join(reversed(pieces))
        self._parse()

    def lines_of(self, node: ast.stmt) -> Span:
        """Return all lines of a statement, with its decorators and with comments right above it."""
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]) - 1
        while first and self._line(first - 1).lstrip().startswith(b"#"):
            first -= 1
        assert node.end_lineno is not None  # noqa: S101 (it was parsed)
        return Span(self._lines[first], self._lines[node.end_lineno])

    def _line(self, number: int) -> bytes:
        return self.data[self._lines[number] : self._lines[number + 1]]

    def _parse(self) -> None:
        self.tree = ast.parse(self.data)
        self.imports = [each for each in ast.walk(self.tree) if isinstance(each, ast.Import | ast.ImportFrom)]
        self.attributes = set(_attributes(self.tree.body))
        ends = [match.end() for match in re.finditer(rb"\n", self.data)]
        self._lines = [0, *ends, len(self.data)]


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    if parts[0] in ROOTS:
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: Source, node: ast.AST) -> Iterator[tuple[str, str | None, str]]:
    """Yield module, name in it (None: the module itself), and the name that it has here."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, None, alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield _origin(source, node), alias.name, alias.asname or alias.name


def _origin(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.name.split(".")
    if source.path.name != "__init__.py":
        package = package[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def bound_names(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement defines, but for those that it imports."""
    if isinstance(node, Definition):
        yield node.name
        return
    waiting: list[ast.AST] = [] if isinstance(node, ast.Expr) else [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id
        if not isinstance(each, _SCOPES):  # their names are their own
            waiting += ast.iter_child_nodes(each)


def is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _attributes(statements: Iterable[ast.stmt]) -> Iterator[str]:
    for node in statements:
        if not isinstance(node, ast.ClassDef):
            continue
        for each in node.body:
            yield from bound_names(each)
            if isinstance(each, Function) and each.name == "__init__":
                yield from (
                    inner.attr
                    for inner in ast.walk(each)
                    if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
                )
