"""One lookup for all signals must say what the packages would say that try every route."""

import re

import pytest
from fastapi import FastAPI
from prometheus_fastapi_instrumentator.routing import get_route_name
from starlette.requests import Request
from starlette.types import Scope

from glasswork.core.telemetry.routes import UNMATCHED, Place, Routes

ID = "018f2b7a-7c1e-7f00-8000-3f5ac27a9b01"


def scope_of(app: FastAPI, method: str, path: str) -> Scope:
    return {
        "type": "http",
        "app": app,
        "method": method,
        "path": path,
        "root_path": "",
        "headers": [],
        "query_string": b"",
    }


def filled(template: str) -> str:
    """The path of some resource."""
    return re.sub(r"\{[^}]*\}", ID, template)


def test_every_operation_is_found_as_the_instrumentator_finds_it(app: FastAPI) -> None:
    routes = Routes(app)
    operations = routes.operations
    assert len(operations) > 50
    for method, template in operations:
        scope = scope_of(app, method, filled(template))
        assert routes.place(scope).template == get_route_name(Request(scope), False) == template


@pytest.mark.parametrize("method", ["GET", "DELETE", "BREW"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/health",
        "/health/",
        "/docs",
        "/docs/assets",
        "/docs/assets/",
        "/docs/assets/deep/down.js",
        "/api/v1/users/me",
        "/api/v1/users/me/",
        "/api/v1/users/",
        "/api/v1/users//",
        f"/api/v1/users/{ID}",
        f"/api/v1/users/{ID}/me",
        f"/api/v1/calendars/{ID}",
        f"/api/v1/calendars/{ID}.icsx",
        f"/api/v1/calendars/{ID}.ics",
        f"/api/v1/reports/{ID}/charts/burn_up",
        f"/api/v1/reports/{ID}/charts/burn_up.svg",
        "/api/v1/tasks/%2e%2e",
        "/API/v1/tasks",
        "*",
        "",
    ],
)
def test_odd_paths_are_found_as_the_instrumentator_finds_them(app: FastAPI, method: str, path: str) -> None:
    scope = scope_of(app, method, path)
    assert Routes(app).place(scope).template == get_route_name(Request(scope), False)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"/api/v1/users/{ID}", f"/api/v1/users/{ID}"),
        ("/api/v1/users/otter", "/api/v1/users/*"),
        (f"/api/v1/users/{ID.upper()}", "/api/v1/users/*"),
        (f"/api/v1/workspaces/{ID}/tasks/OPS-42", f"/api/v1/workspaces/{ID}/tasks/OPS-42"),
        (f"/api/v1/workspaces/{ID}/tasks/OTTER", f"/api/v1/workspaces/{ID}/tasks/*"),
        ("/api/v1/jobs/17/retry", "/api/v1/jobs/17/retry"),
        ("/docs/assets/otter.js", "/docs/assets/*"),
        ("/otter/17", UNMATCHED),
    ],
)
def test_a_path_tells_ids_and_nothing_else(app: FastAPI, path: str, told: str) -> None:
    assert Routes(app).place(scope_of(app, "GET", path)).path == told


def test_it_is_looked_up_once_for_a_request(app: FastAPI) -> None:
    scope = scope_of(app, "GET", "/health")
    first = Routes(app).place(scope)
    scope["path"] = "/ready"
    assert Routes(app).place(scope) is first
    assert first == Place("/health", "/health")
