"""What is left of which all users are gone: it was there for them."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from .references import Gone, is_fixture
from .sources import Definition, Function, Source, bound_names, imports

_WORD = re.compile(rb"\w+")


@dataclass(slots=True)
class Used:
    """What is named anywhere but in its own definition; what tests alone name is not used."""

    modules: set[str] = field(default_factory=set)
    names: set[tuple[str, str]] = field(default_factory=set)
    methods: set[tuple[str, str, str]] = field(default_factory=set)

    @classmethod
    def of(cls, sources: Collection[Source]) -> "Used":
        used, ours = cls(), [source for source in sources if not source.is_test]
        in_product, everywhere = _words(ours), _words(sources)
        known_in_product, known = set(_known(ours)), set(_known(sources))
        for source in sources:
            counts = everywhere if source.is_test else in_product
            is_found = source.path.name in {"__init__.py", "conftest.py"}  # by others than imports
            if is_found or source.name in (known if source.is_test else known_in_product):
                used.modules.add(source.name)
            for node, name in _definitions(source.tree.body):
                if _is_used(source, node, name, counts):
                    used.names.add((source.name, name))
                if not isinstance(node, ast.ClassDef) or node.bases or source.is_test:
                    continue
                for each, method in _definitions(node.body):
                    if isinstance(each, Function) and _is_used(source, each, method, everywhere):
                        used.methods.add((source.name, node.name, method))
        return used

    def note_lost(self, sources: Collection[Source], gone: Gone) -> set[str]:
        """Add to what is gone what is there, and is used no longer; return the modules that it is in."""
        now = Used.of(sources)
        names = {(source.name, name) for source in sources for _, name in _definitions(source.tree.body)}
        methods = {
            (source.name, node.name, name)
            for source in sources
            for node in source.tree.body
            if isinstance(node, ast.ClassDef)
            for _, name in _definitions(node.body)
        }
        lost = (
            (self.modules & {source.name for source in sources}) - now.modules,
            (self.names & names) - now.names - gone.public,
            (self.methods & methods) - now.methods,
        )
        gone.modules |= lost[0]
        gone.names |= lost[1]
        gone.attributes |= lost[2]
        return lost[0] | {name[0] for name in lost[1]} | {method[0] for method in lost[2]}


def _is_used(source: Source, node: ast.stmt, name: str, counts: Counter[bytes]) -> bool:
    word = name.encode()
    return counts[word] > _WORD.findall(source.text(node)).count(word)


def _words(sources: Iterable[Source]) -> Counter[bytes]:
    counts: Counter[bytes] = Counter()
    for source in sources:
        counts.update(_WORD.findall(source.data))
    return counts


def _known(sources: Iterable[Source]) -> Iterator[str]:
    """Yield the modules that another one imports."""
    for source in sources:
        for node in source.imports:
            for module, name, _ in imports(source, node):
                yield module
                yield f"{module}.{name}"


def _definitions(statements: Iterable[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Yield what can only be used by its name: not what a decorator registers somewhere."""
    for node in statements:
        if not isinstance(node, (*Definition.__args__, ast.Assign, ast.AnnAssign)):
            continue
        if getattr(node, "decorator_list", ()) and isinstance(node, Function) and not is_fixture(node):
            continue
        for name in bound_names(node):
            if not name.lower().startswith(("test", "pytest_")):  # called by their names' beginning
                yield node, name
