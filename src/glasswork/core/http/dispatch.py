"""From a request to its operation, in a time that does not grow with the number of routes."""

from typing import Any

from fastapi.routing import APIRoute, RouteContext
from starlette.types import ASGIApp, Receive, Scope, Send

from glasswork.core.http.plans import Plan
from glasswork.core.telemetry.routes import Routes


class Dispatcher:
    """Stands before FastAPI's router, which tries every route in turn, and leaves to it what is none."""

    def __init__(self, router: ASGIApp, routes: Routes) -> None:
        self._router = router
        self._routes = routes
        self._plans: dict[int, Plan | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = self._routes.place(scope).operation if scope["type"] == "http" else None
        if operation is None or scope.get("root_path"):
            await self._router(scope, receive, send)
            return
        scope["path_params"] = _path_parameters(operation.path, scope["path"])
        scope["endpoint"], scope["route"] = operation.endpoint, operation.original_route
        plan = None if scope["app"].dependency_overrides else self._plan(operation)
        rest: Receive | None = receive
        if plan is not None and _is_usual(operation.original_route, scope):
            rest = await plan.carry_out(scope, receive, send)
        if rest is not None:
            await operation.app(scope, rest, send)

    def _plan(self, operation: RouteContext) -> Plan | None:
        key = id(operation)  # it lives as long as the routes do
        if key not in self._plans:
            self._plans[key] = Plan.of(operation)
        return self._plans[key]


def _is_usual(route: Any, scope: Scope) -> bool:
    """Whether the route's handler would do nothing of its own with this request."""
    return type(route) is APIRoute or route.is_usual(scope)


def _path_parameters(template: str | None, path: str) -> dict[str, str]:
    """Of a template whose parameters are whole words."""
    words = zip((template or "").split("/"), path.split("/"), strict=True)
    return {name[1:-1]: word for name, word in words if name[:1] == "{"}
