"""Every operation of the document, and how it is called."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from glasswork.core.actor import Scope
from glasswork.core.http.resources import API_PREFIX


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    """Below the prefix, as a template."""
    success: int
    is_public: bool
    scope: Scope | None
    """What an API token needs for it; None: a session is needed."""


def operations(app: FastAPI) -> Iterator[Operation]:
    for path, methods in app.openapi()["paths"].items():
        if path.startswith(API_PREFIX):
            for method, declared in methods.items():
                yield _operation(method, path.removeprefix(API_PREFIX), declared)


def _operation(method: str, path: str, declared: dict[str, Any]) -> Operation:
    scopes = [Scope(scope) for scheme in declared["security"] for scope in scheme.get("ApiToken", ())]
    return Operation(
        name=declared["operationId"],
        method=method.upper(),
        path=path,
        success=min(int(status) for status in declared["responses"]),
        is_public=declared["security"] == [],
        scope=scopes[0] if scopes else None,
    )
