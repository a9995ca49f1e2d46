"""What is not for callers: `/metrics`, `/health` and `/ready` on a port of their own, METRICS_PORT."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from glasswork.core.health import Health
from glasswork.core.http import health as probes
from glasswork.core.http import metrics as scrapes
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.server_spans import FASTAPI_TELEMETRY_OFF

FINISH_SECONDS = 1


def create_app(metrics: Metrics, health: Health) -> FastAPI:
    app = FastAPI(openapi_url=None, redirect_slashes=False, telemetry=FASTAPI_TELEMETRY_OFF)
    app.state.health = health
    app.include_router(probes.router)
    scrapes.install(app, metrics)
    return app


class InternalPortMiddleware:
    """Pass on what came in by the internal port.

    A server that is given both sockets serves both in each of its processes, and drains both.
    """

    def __init__(self, app: ASGIApp, port: int, inside: ASGIApp) -> None:
        self.app = app
        self._port = port
        self._inside = inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_inside = scope["type"] == "http" and (scope.get("server") or ("", None))[1] == self._port
        await (self._inside if is_inside else self.app)(scope, receive, send)


@asynccontextmanager
async def serving(listener: socket.socket, inside: ASGIApp) -> AsyncIterator[None]:
    """Serve it beside the work of this event loop."""
    config = uvicorn.Config(
        inside,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    server = _ServerBeside(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


class _ServerBeside(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to whoever has the event loop."""
        yield
