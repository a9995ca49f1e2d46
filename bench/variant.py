"""`glasswork serve` with one thing different, which BENCH_VARIANT names: what that thing costs.

`no signals`: neither metrics nor spans nor log lines of requests. `more routes`: 80 that nobody asks for.
"""

import os
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Any
from unittest.mock import patch

from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

from glasswork import app as module
from glasswork import cli, running
from glasswork.core.db import Database, open_database
from glasswork.core.http.middleware.request_context import RequestContextMiddleware
from glasswork.core.telemetry.requests import RequestMetricsMiddleware

SIGNALS: set[Any] = {OpenTelemetryMiddleware, RequestContextMiddleware, RequestMetricsMiddleware}
MORE = 80

_create_app = module.create_app


def without_signals() -> FastAPI:
    app = _create_app()
    app.user_middleware = [each for each in app.user_middleware if each.cls not in SIGNALS]
    return app


def open_unobserved(
    settings: Any, subscribers: Any, _: Any, tell: Any
) -> AbstractAsyncContextManager[Database]:
    return open_database(settings, subscribers, None, tell)


def with_more_routes() -> FastAPI:
    app = _create_app()
    for number in range(MORE):
        app.add_api_route(f"/api/v1/more/{number}/{{id}}", lambda: None, name=f"more {number}")
    return app


def main() -> None:
    """Be `glasswork`, whose arguments are ours."""
    is_silent = os.environ["BENCH_VARIANT"] == "no signals"
    with ExitStack() as stack:
        # uvicorn looks the app's factory up by its name.
        made = without_signals if is_silent else with_more_routes
        stack.enter_context(patch.object(module, "create_app", made))
        if is_silent:
            stack.enter_context(patch.object(running, "open_database", open_unobserved))
        cli.main()


if __name__ == "__main__":
    main()
