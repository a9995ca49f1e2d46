"""What goes along with a reference to what is gone: an element, or all that it stands in."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from .references import Path
from .sources import Function, Source, Span

LISTS: Final = {"select", "declare", "or_", "and_", "union_all", "union"}
"""Functions whose arguments are a list, of which each may go."""

Sequence = ast.Tuple | ast.List | ast.Set


class Cuts:
    """The elements of one statement that go; `is_whole` if it cannot stand without what is gone."""

    def __init__(self, source: Source, found: Iterable[Path]) -> None:
        self._source = source
        self._removed: dict[int, set[int]] = defaultdict(set)
        self._nodes: dict[int, ast.AST] = {}
        self.is_whole = False
        for path in found:
            self._cut(path)

    def spans(self) -> Iterator[Span]:
        for key, removed in self._removed.items():
            node = self._nodes[key]
            if isinstance(node, ast.BinOp):
                side = node.right if id(node.left) in removed else node.left
                yield Span(*self._bounds(node), self._source.text(side))
                continue
            if isinstance(node, ast.Set) and self._is_empty(node):
                yield Span(*self._bounds(node), b"set()")
                continue
            kept = [pair for pair in _elements(node) if removed.isdisjoint(map(id, pair))]
            for first, last in _elements(node):
                if not removed.isdisjoint({id(first), id(last)}):
                    yield self._element(first, last)
            if isinstance(node, ast.Tuple) and len(kept) == 1:
                end = self._bounds(kept[0][1])[1]
                if not self._source.data[end:].lstrip().startswith(b","):
                    yield Span(end, end, b",")

    def _bounds(self, node: ast.AST) -> tuple[int, int]:
        span = self._source.span(node)
        return span.start, span.end

    def _element(self, first: ast.AST, last: ast.AST) -> Span:
        start, end = self._bounds(first)[0], self._bounds(last)[1]
        if self._source.data[:start].rstrip().endswith(b"**"):  # a dictionary inside another one
            start = self._source.data.rindex(b"**", 0, start)
        return self._with_comma(start, end)

    def _with_comma(self, start: int, end: int) -> Span:
        """Also the rest of the line, if that is a comment on the element."""
        data = self._source.data
        rest = end
        while data[rest : rest + 1].isspace():
            rest += 1
        if data[rest : rest + 1] == b",":
            end = rest + 1
            line_end = data.index(b"\n", end)
            if data[end:line_end].lstrip().startswith(b"#"):
                end = line_end
        return Span(start, end)

    def _cut(self, path: Path) -> None:
        for depth in range(len(path) - 1, 0, -1):
            child, parent = path[depth], path[depth - 1]
            if isinstance(parent, ast.stmt) and not _is_header(parent, child):
                break
            if not _may_lose(parent, child, path[: depth - 1]):
                continue
            self._nodes[id(parent)] = parent
            self._removed[id(parent)].add(id(child))
            is_declared = depth > 1 and isinstance(
                path[depth - 2], ast.AnnAssign
            )  # with what type it is empty
            if is_declared or not self._is_empty(parent):
                return
            # Nothing is left in it: it goes itself.
        self.is_whole = True

    def _is_empty(self, node: ast.AST) -> bool:
        removed = self._removed[id(node)]
        if isinstance(node, ast.BinOp):
            return id(node.left) in removed and id(node.right) in removed
        return all(id(first) in removed or id(last) in removed for first, last in _elements(node))


def _elements(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    match node:
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                yield key or value, value
        case ast.Call():
            yield from ((each, each) for each in node.args)
        case ast.Tuple() | ast.List() | ast.Set():
            yield from ((each, each) for each in node.elts)


def _is_header(statement: ast.stmt, child: ast.AST) -> bool:
    """Whether an expression belongs to a statement and not to one inside it."""
    return not isinstance(child, ast.stmt) and not isinstance(statement, Function | ast.ClassDef)


def _may_lose(parent: ast.AST, child: ast.AST, above: Path) -> bool:
    match parent:
        case ast.Dict():
            return True
        case ast.BinOp(op=ast.BitOr()):
            return True
        case ast.Call(func=function):
            return child in parent.args and ast.unparse(function).rpartition(".")[2] in LISTS
        case ast.Tuple() | ast.List() | ast.Set():
            return _is_list(parent, above)
    return False


def _is_list(node: Sequence, above: Path) -> bool:
    """Whether its elements are alike, so that one can go: not if it is a row of another one."""
    if not isinstance(node.ctx if not isinstance(node, ast.Set) else ast.Load(), ast.Load):
        return False
    around = above[-1] if above else None
    if isinstance(around, ast.Subscript):
        return False
    if isinstance(node, ast.Tuple):
        return not isinstance(around, ast.Tuple | ast.List | ast.Set | ast.Dict | ast.Compare)
    return not isinstance(around, ast.Compare)
