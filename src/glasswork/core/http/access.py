"""Every operation says who may call it, or the program does not start."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security.base import SecurityBase

PUBLIC: Final[dict[str, Any]] = {"security": []}
"""The `openapi_extra` of an operation that needs no actor."""


class UndeclaredAccessError(Exception):
    def __init__(self, operations: list[str]) -> None:
        super().__init__(f"neither an actor nor PUBLIC: {', '.join(operations)}")


def ensure_declared(app: FastAPI) -> None:
    """Raise UndeclaredAccessError when an operation has no actor and does not say that it needs none."""
    routes = (context.original_route for context in iter_route_contexts(app.routes))
    silent = [route.name for route in routes if isinstance(route, APIRoute) and not _is_declared(route)]
    if silent:
        raise UndeclaredAccessError(silent)


def _is_declared(route: APIRoute) -> bool:
    has_actor = any(isinstance(dependant.call, SecurityBase) for dependant in _walk(route.dependant))
    return has_actor != ((route.openapi_extra or {}).get("security") == [])


def _walk(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _walk(inner)
