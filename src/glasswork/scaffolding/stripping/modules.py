"""What goes of one module, with what is gone that it refers to."""

import ast
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from .cuts import Cuts
from .references import Gone, References
from .sources import Definition, Function, Source, Span, bound_names, imports, is_docstring


class ModulePruner:
    def __init__(self, source: Source, gone: Gone, references: References) -> None:
        self._source = source
        self._gone = gone
        self._references = references

    def imports(self) -> Iterator[Span]:
        for node in self._source.tree.body:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            found = [self._gone.has_import(module, name) for module, name, _ in imports(self._source, node)]
            kept = [alias for alias, is_gone in zip(node.names, found, strict=True) if not is_gone]
            for module, name, here in imports(self._source, node):
                if self._gone.has_import(module, name):
                    self._gone.names.add((self._source.name, here))
            if not kept:
                yield self._source.lines_of(node)
            elif len(kept) < len(found):
                span = self._source.span(node)
                left = type(node)(**{**vars(node), "names": kept})
                yield Span(span.start, span.end, ast.unparse(left).encode())

    def body(self, statements: Iterable[ast.stmt], around: tuple[ast.ClassDef, ...]) -> Iterator[Span]:
        statements = list(statements)
        for node, following in zip_longest(statements, statements[1:]):
            if isinstance(node, ast.Import | ast.ImportFrom):
                continue
            spans = self._statement(node, around)
            if spans is not None:
                yield from spans
                continue
            self._note(node, around)
            yield self._source.lines_of(node)
            is_constant = isinstance(node, ast.Assign | ast.AnnAssign)
            if is_constant and following is not None and is_docstring(following):
                yield self._source.lines_of(following)

    def _statement(self, node: ast.stmt, around: tuple[ast.ClassDef, ...]) -> list[Span] | None:
        """Return what goes of a statement, None if that is all of it."""
        if self._is_named_gone(node, around):
            return None
        if isinstance(node, ast.ClassDef):
            return self._class(node, around)
        if isinstance(node, Function):
            return self._function(node, around)
        cuts = Cuts(self._source, self._references.find(node, around))
        spans = [*cuts.spans(), *self._exports(node)]
        return None if cuts.is_whole else spans

    def _is_named_gone(self, node: ast.stmt, around: tuple[ast.ClassDef, ...]) -> bool:
        names = (
            set(bound_names(node))
            if isinstance(node, (*Definition.__args__, ast.Assign, ast.AnnAssign))
            else set()
        )
        if around:
            return any((self._source.name, around[0].name, name) in self._gone.attributes for name in names)
        return any((self._source.name, name) in self._gone.names for name in names)

    def _class(self, node: ast.ClassDef, around: tuple[ast.ClassDef, ...]) -> list[Span] | None:
        header = [*node.bases, *(each.value for each in node.keywords), *node.decorator_list]
        if any(list(self._references.find(each, (*around, node))) for each in header):
            return None
        spans = [*self.body(node.body, (*around, node))]
        is_left = [each for each in node.body if not is_docstring(each) and not self._is_covered(each, spans)]
        is_helper = self._source.is_test and not node.name.startswith("Test")
        return None if spans and (is_helper or not is_left) else spans

    def _is_covered(self, node: ast.stmt, spans: Iterable[Span]) -> bool:
        its = self._source.span(node)
        return any(span.start <= its.start and its.end <= span.end for span in spans)

    def _function(self, node: Function, around: tuple[ast.ClassDef, ...]) -> list[Span] | None:
        found = [path[path.index(node) :] for path in self._references.find(node, around)]
        if any(len(path) == 1 for path in found):  # a fixture that it asks for
            return None
        if self._source.is_test and not all(path[1] in node.decorator_list for path in found):
            return None
        fields = [
            path[1]
            for path in found
            if node.name == "__init__" and isinstance(path[1], ast.Assign) and _is_field(path[1])
        ]
        for each in fields:
            self._note_fields(each, around)
        cuts = Cuts(self._source, [_inside(path) for path in found if path[1] not in fields])
        return None if cuts.is_whole else [*map(self._source.lines_of, fields), *cuts.spans()]

    def _note_fields(self, node: ast.Assign, around: tuple[ast.ClassDef, ...]) -> None:
        for target in node.targets:
            for each in ast.walk(target):
                if isinstance(each, ast.Attribute) and around:
                    self._gone.attributes.add((self._source.name, around[0].name, each.attr))

    def _note(self, node: ast.stmt, around: tuple[ast.ClassDef, ...]) -> None:
        if around and isinstance(node, Function) and not self._source.is_test:
            self._gone.methods.add(node.name)
        for name in bound_names(node):
            if around:
                self._gone.attributes.add((self._source.name, around[0].name, name))
            else:
                self._gone.names.add((self._source.name, name))

    def _exports(self, node: ast.stmt) -> Iterator[Span]:
        """Names in `__all__` that are there no more."""
        if "__all__" not in bound_names(node) or not isinstance(node, ast.Assign):
            return
        if isinstance(node.value, ast.List | ast.Tuple):
            dead = [
                each
                for each in node.value.elts
                if isinstance(each, ast.Constant) and (self._source.name, each.value) in self._gone.names
            ]
            yield from Cuts(self._source, [(node, node.value, each) for each in dead]).spans()


def _inside(path: tuple[ast.AST, ...]) -> tuple[ast.AST, ...]:
    """From the innermost statement down."""
    start = max(place for place, node in enumerate(path) if isinstance(node, ast.stmt))
    return path[start:]


def _is_field(node: ast.Assign) -> bool:
    return all(isinstance(target, ast.Attribute) for target in node.targets)
