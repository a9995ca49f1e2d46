"""Where a module refers to what is gone."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeGuard

from .sources import Function, Source, imports, is_docstring

Path = tuple[ast.AST, ...]
"""From a statement down to an expression in it."""


@dataclass(slots=True)
class Gone:
    """What is not there any more."""

    modules: set[str] = field(default_factory=set)
    names: set[tuple[str, str]] = field(default_factory=set)
    """By module."""
    attributes: set[tuple[str, str, str]] = field(default_factory=set)
    """By module and class."""
    methods: set[str] = field(default_factory=set)
    """Names of functions that classes have lost, and of those here `nowhere`: no class has them any more."""
    nowhere: set[str] = field(default_factory=set)
    public: set[tuple[str, str]] = field(default_factory=set)
    """Names by module that are not gone, though nobody uses them."""
    operations: set[str] = field(default_factory=set)
    """Of the API, by the names of their handlers."""
    words: re.Pattern[str] | None = None
    """What strings in tests say of it, such as the path of an operation."""

    def has_module(self, name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[:length]) in self.modules for length in range(1, len(parts) + 1))

    def has_import(self, module: str, name: str | None) -> bool:
        if self.has_module(module):
            return True
        return name is not None and ((module, name) in self.names or self.has_module(f"{module}.{name}"))


class References:
    """Tells of one module's expressions whether they refer to what is gone."""

    def __init__(self, source: Source, gone: Gone, fixtures: Mapping[str, set[str]]) -> None:
        self._source = source
        self._gone = gone
        self._fixtures = fixtures

    @cached_property
    def imported(self) -> dict[str, tuple[str, str | None]]:
        return {
            here: (module, name)
            for node in self._source.imports
            for module, name, here in imports(self._source, node)
        }

    @cached_property
    def dead(self) -> set[str]:
        """The names of the module that stand for what is gone."""
        own = {name for module, name in self._gone.names if module == self._source.name}
        return own | {here for here, origin in self.imported.items() if self._gone.has_import(*origin)}

    def find(self, statement: ast.AST, around: Sequence[ast.AST] = ()) -> Iterator[Path]:
        """Yield the way to each, from what is around the statement down to the expression."""
        yield from self._find(statement, [*around], frozenset())

    def _find(self, node: ast.AST, above: list[ast.AST], local: frozenset[str]) -> Iterator[Path]:
        if self._is_dead(node, above, local):
            yield (*above, node)
            return
        if isinstance(node, Function | ast.Lambda):
            local |= _locals(node)
        above.append(node)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr_context | ast.operator):
                yield from self._find(child, above, local)
        above.pop()

    def _is_dead(self, node: ast.AST, parents: Sequence[ast.AST], local: frozenset[str]) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self.dead and node.id not in local and isinstance(node.ctx, ast.Load)
        if isinstance(node, ast.Attribute):
            return self._is_dead_attribute(node, node.attr, parents)
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str) and self._says_dead(node, node.value, parents)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return len(parents) > 0 and any(
                self._gone.has_import(module, name) for module, name, _ in imports(self._source, node)
            )
        return isinstance(node, Function) and any(
            self._is_dead_fixture(each) for each in asked_fixtures(node)
        )

    def _is_dead_attribute(self, node: ast.Attribute, attribute: str, parents: Sequence[ast.AST]) -> bool:
        if attribute in self._gone.nowhere and not self._source.is_test:
            return True
        if not isinstance(node.value, ast.Name):
            return False
        name = node.value.id
        if name in {"self", "cls"}:
            around = [each.name for each in parents if isinstance(each, ast.ClassDef)]
            return bool(around) and (self._source.name, around[0], attribute) in self._gone.attributes
        module, origin = self.imported.get(name, (self._source.name, name))
        if origin is None:
            return (module, attribute) in self._gone.names
        return (module, origin, attribute) in self._gone.attributes or (
            f"{module}.{origin}",
            attribute,
        ) in self._gone.names

    def _says_dead(self, node: ast.AST, text: str, parents: Sequence[ast.AST]) -> bool:
        if not self._source.is_test or self._gone.words is None:
            return False
        if isinstance(parents[-1], ast.stmt) and is_docstring(parents[-1]):
            return False
        if any(_names_parameters(each, (*parents, node)) for each in parents):
            return False
        return text in self._gone.operations or self._gone.words.search(text) is not None

    def _is_dead_fixture(self, name: str) -> bool:
        if not self._source.is_test:
            return False
        if name in self.imported:
            return name in self.dead
        packages = self._source.name.split(".")
        places = [self._source.name]
        places += [".".join([*packages[:length], "conftest"]) for length in range(len(packages) - 1, 0, -1)]
        for place in places:
            if name in self._fixtures.get(place, ()):
                return (place, name) in self._gone.names
        return False


def _names_parameters(call: ast.AST, inside: Path) -> bool:
    """Whether what is inside is the first argument of `parametrize`."""
    if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith(".parametrize"):
        return False
    return bool(call.args) and call.args[0] in inside


def is_fixture(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, Function) and any(
        "fixture" in ast.unparse(decorator) for decorator in node.decorator_list
    )


def asked_fixtures(node: Function) -> Iterator[str]:
    """Yield the fixtures that a test or a fixture asks for."""
    if node.name.startswith("test_") or is_fixture(node):
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            yield argument.arg
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("usefixtures"):
            yield from (
                each.value
                for each in decorator.args
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )


def _locals(node: Function | ast.Lambda) -> frozenset[str]:
    arguments = node.args
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    rest = (each for each in (arguments.vararg, arguments.kwarg) if each is not None)
    body = node.body if isinstance(node.body, list) else []
    stored = (
        inner.id
        for each in body
        for inner in ast.walk(each)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    )
    return frozenset([*(each.arg for each in (*named, *rest)), *stored])
