"""Whether the committed OpenAPI document tells of an answer."""

import json
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx2 import Response

from glasswork.core.telemetry.routes import Routes


@cache
def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((Path(__file__).parents[1] / "docs/openapi.json").read_text())
    return read


def ensure_declared(app: FastAPI) -> Callable[[Response], Awaitable[None]]:
    """Return a hook for a client, which fails where an operation answers what it does not declare."""

    async def ensure(response: Response) -> None:
        declared = operation_of(app, response).get("responses")
        if declared:
            told = f"{response.request.method} {response.request.url.path} answers {response.status_code}"
            assert str(response.status_code) in declared, told

    return ensure


def operation_of(app: FastAPI, response: Response) -> dict[str, Any]:
    """Empty where there is none: another app or its internal port, no such path, or not this method.

    Methods are told apart by their case, too.
    """
    request = response.request
    routes: Routes | None = getattr(app.state, "routes", None)
    if routes is None or request.url.port:
        return {}
    place = routes.place({"method": request.method, "path": request.url.path})
    paths: dict[str, dict[str, dict[str, Any]]] = document()["paths"]
    declared = {method.upper(): each for method, each in paths.get(place.template or "", {}).items()}
    return declared.get(request.method, {})
