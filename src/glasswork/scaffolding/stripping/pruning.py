"""Takes modules out of a tree of Python files, with all that refers to them, until nothing does.

What is gone is removed with the smallest thing around it that the rest can do without: an element of a list,
a field, a function, a test. A test goes as a whole: with less in it, it would say something else.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from .modules import ModulePruner
from .orphans import Used
from .references import Gone, References, is_fixture
from .sources import Definition, Function, Source, bound_names, imports


class Pruning:
    def __init__(self, sources: Iterable[Source], gone: Gone) -> None:
        self.sources = {source.name: source for source in sources}
        self.gone = gone
        self._fixtures = {
            source.name: _fixtures(source) for source in self.sources.values() if source.is_test
        }
        self._known = {name: set(_known(source)) for name, source in self.sources.items()}
        self._had_tests = {name for name, source in self.sources.items() if _has_tests(source)}

    def run(self) -> None:
        """Also what nobody uses any more then goes, and all that refers to that."""
        used, operations = Used.of(self.sources.values()), set(self._operations())
        waiting = set(self.sources)
        while waiting:
            self._follow(waiting)
            waiting = self._concerned(used.note_lost(self.sources.values(), self.gone))
            if lost := operations - set(self._operations()) - self.gone.operations:
                self.gone.operations |= lost
                waiting |= {name for name, source in self.sources.items() if source.is_test}

    def _operations(self) -> Iterator[str]:
        """Yield the names of handlers, by which tests call operations."""
        for source in self.sources.values():
            if source.name.endswith(".router"):
                yield from (
                    node.name
                    for node in source.tree.body
                    if isinstance(node, Function) and node.decorator_list
                )

    def _follow(self, waiting: set[str]) -> None:
        while waiting:
            self._remove_modules()
            changed = {name for name in waiting & self.sources.keys() if self._prune(self.sources[name])}
            waiting = self._concerned(changed | self._note_empty()) | self._callers(self._note_methods())

    def _concerned(self, changed: set[str]) -> set[str]:
        """Those that changed themselves, or that know one that did; all tests know their conftest."""
        conftests = tuple(name.removesuffix("conftest") for name in changed if name.endswith(".conftest"))
        return {
            name
            for name, source in self.sources.items()
            if name in changed or not changed.isdisjoint(self._known[name]) or name.startswith(conftests)
        }

    def _remove_modules(self) -> None:
        self.sources = {
            name: source for name, source in self.sources.items() if not self.gone.has_module(name)
        }

    def _note_empty(self) -> set[str]:
        """Modules of tests that have none any more."""
        empty = {
            name
            for name, source in self.sources.items()
            if name in self._had_tests and not _has_tests(source)
        }
        self.gone.modules |= empty
        return empty

    def _note_methods(self) -> set[str]:
        """A method that no class has any more is called by nobody who stays; return the new ones."""
        ours = [source for source in self.sources.values() if not source.is_test]
        there = {name for source in ours for name in source.attributes}
        new = self.gone.methods - there - self.gone.nowhere
        self.gone.nowhere |= new
        return new

    def _callers(self, methods: set[str]) -> set[str]:
        words = [method.encode() for method in methods]
        return {
            name
            for name, source in self.sources.items()
            if not source.is_test and any(word in source.data for word in words)
        }

    def _prune(self, source: Source) -> bool:
        """Whether anything was removed."""
        references = References(source, self.gone, self._fixtures)
        pruner = ModulePruner(source, self.gone, references)
        spans = [*pruner.imports(), *pruner.body(source.tree.body, ())]
        if spans:
            source.replace(spans)
        return bool(spans)


def _known(source: Source) -> Iterator[str]:
    for node in source.imports:
        for module, name, _ in imports(source, node):
            yield module
            if name is not None:
                yield f"{module}.{name}"


def _fixtures(source: Source) -> set[str]:
    return {node.name for node in source.tree.body if is_fixture(node)}


def _has_tests(source: Source) -> bool:
    return source.is_test and any(
        name.lower().startswith("test")
        for node in source.tree.body
        if isinstance(node, Definition)
        for name in bound_names(node)
    )


def load(root: Path, paths: Iterable[Path]) -> list[Source]:
    return [Source(path, (root / path).read_bytes()) for path in paths]
