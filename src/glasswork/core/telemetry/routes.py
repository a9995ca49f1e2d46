"""Which route a request is for, found once for all signals, in a time that does not grow with the routes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Scope

UNMATCHED = "__unmatched__"
PAGE = "/ops"
"""The operations page and all below it."""
PROBES = frozenset({"/health", "/ready", "/metrics"})
"""Asked by machines every few seconds; they are in no signal."""

# What a path may tell of its values: our ids, keys and numbers. Anything else may be anybody's secret.
_TOLD = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Z][A-Z0-9]{1,9}-\d{1,9}|\d{1,19}", re.ASCII)
_HIDDEN = "*"
_PARAMETER = re.compile(r"\{[^}]*\}")


Operation = tuple[str, str | None]
"""The method, and the template of the path."""


@dataclass(frozen=True, slots=True)
class Place:
    template: str | None
    """With the prefixes of its routers; None where there is no such route."""
    path: str
    """As it was asked for, without values that are not ids."""
    workspace_id: str | None = None

    operation: RouteContext | None = field(default=None, compare=False)
    """What answers, where it is one of FastAPI's operations for the method, and each parameter is a word."""

    @property
    def is_shown(self) -> bool:
        """Whether the operations page tells of it; of itself it does not."""
        return self.template not in PROBES and not is_of_page(self.template)


@dataclass(slots=True)
class _Node:
    by_word: dict[str, "_Node"] = field(default_factory=dict)
    by_shape: dict[re.Pattern[str], "_Node"] = field(default_factory=dict)
    """Of parameters with something beside them: `{token}.ics`."""
    parameter: "_Node | None" = None
    template: str | None = None
    parameters: Mapping[int, str] = field(default_factory=dict)
    """Of the template: which words of a path hold a caller's."""
    methods: set[str] = field(default_factory=set)
    operations: dict[str, RouteContext] = field(default_factory=dict)
    is_mount: bool = False
    """All that is below it, too."""


class Routes:
    """The routes of an app as a tree of the words in their paths; built at the first request."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def place(self, scope: Scope) -> Place:
        """Answer from the scope where it has been asked before."""
        place: Place | None = scope.get("glasswork.place")
        if place is None:
            place = scope["glasswork.place"] = self._find(scope.get("method", "GET"), scope["path"])
        return place

    @property
    def operations(self) -> list[tuple[str, str]]:
        """Methods and templates."""
        return [
            (method, node.template)
            for node in _walk(self._root)
            if node.template
            for method in sorted(node.methods)
        ]

    def _find(self, method: str, path: str) -> Place:
        words = path.split("/")[1:]
        first: _Node | None = None
        for node in _fitting(self._root, words):
            first = first or node
            if method in node.methods:
                first = node
                break
        if first is None or first.template is None:
            return Place(None, UNMATCHED)
        return _place(first, words, first.operations.get(method))

    @cached_property
    def _root(self) -> _Node:
        root = _Node()
        for route in iter_route_contexts(self._app.routes):
            if not route.path:
                continue
            node = root
            for word in route.path.split("/")[1:]:
                node = _child(node, word)
            node.template = route.path
            node.parameters = _parameters(route.path)
            node.methods |= route.methods or set()
            if isinstance(route.original_route, APIRoute) and _is_plain(route.path):
                for method in node.methods:
                    node.operations.setdefault(method, route)
            node.is_mount = isinstance(route.original_route, Mount)
        return root


def _child(node: _Node, word: str) -> _Node:
    if "{" not in word:
        return node.by_word.setdefault(word, _Node())
    if not _PARAMETER.fullmatch(word):
        shape = "[^/]+".join(map(re.escape, _PARAMETER.split(word)))
        return node.by_shape.setdefault(re.compile(shape), _Node())
    node.parameter = node.parameter or _Node()
    return node.parameter


def _fitting(node: _Node, words: Sequence[str]) -> Iterator[_Node]:
    """All nodes that fit, those with the more words of their own first."""
    if words and (child := node.by_word.get(words[0])):
        yield from _fitting(child, words[1:])
    for shape, child in node.by_shape.items():
        if words and shape.fullmatch(words[0]):
            yield from _fitting(child, words[1:])
    if words and words[0] and node.parameter:
        yield from _fitting(node.parameter, words[1:])
    if node.template and bool(words) is node.is_mount:
        yield node


def _walk(node: _Node) -> Iterator[_Node]:
    yield node
    for child in (*node.by_word.values(), *node.by_shape.values(), *filter(None, [node.parameter])):
        yield from _walk(child)


def _is_plain(template: str) -> bool:
    """Whether a part of the path is a word of its own, or one whole parameter."""
    words = template.split("/")
    return all("{" not in word or (_PARAMETER.fullmatch(word) and ":" not in word) for word in words)


def _parameters(template: str) -> Mapping[int, str]:
    return {place: word for place, word in enumerate(template.split("/")[1:]) if "{" in word}


def _place(node: _Node, words: Sequence[str], operation: RouteContext | None) -> Place:
    assert node.template is not None  # noqa: S101 (who calls has looked)
    told = [*words[: node.template.count("/")]]
    workspace_id = None
    for place, parameter in node.parameters.items():
        if not _TOLD.fullmatch(told[place]):
            told[place] = _HIDDEN
        if parameter == "{workspace_id}":
            workspace_id = told[place]
    if len(words) > len(told):
        told.append(_HIDDEN)
    return Place(node.template, "/" + "/".join(told), workspace_id, operation)


def is_of_page(template: str | None) -> bool:
    return template == PAGE or (template or "").startswith(f"{PAGE}/")
