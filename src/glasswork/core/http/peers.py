"""Where other processes of the installation ask this one what it has seen."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from glasswork.core.database_checks import DatabaseProbe
from glasswork.core.health import Health
from glasswork.core.http import internal
from glasswork.core.instance import Instance
from glasswork.core.listeners import listen
from glasswork.core.peers import SIGNATURE, Peers, is_signed
from glasswork.core.settings import Settings
from glasswork.core.telemetry.runtime import LoopWatch
from glasswork.core.telemetry.signals import Signals
from glasswork.core.tokens import Keys

MOST_BYTES = 65_536
"""Of a question."""


@asynccontextmanager
async def telling(
    settings: Settings, signals: Signals, health: Health, probe: DatabaseProbe, loop: LoopWatch
) -> AsyncIterator[Peers | None]:
    """Have this process tell of itself, and yield the way to the others; None without the page.

    Enter it before anything is asked through `probe`, whose connection says where this process listens.
    """
    if signals.recorder is None:
        yield None
        return
    instance = Instance(signals, signals.recorder, health)
    key = Keys.of(settings).peers
    with listen(settings.metrics_host, 0, "METRICS_HOST") as listener:
        peers = Peers(instance, key)
        probe.connection_name = peers.connection_name(settings.metrics_host, listener.getsockname()[1])
        async with instance.watching(loop), internal.serving(listener, create_app(instance, key)):
            yield peers
        await peers.close()


def create_app(instance: Instance, key: bytes) -> Starlette:
    async def answer(request: Request) -> Response:
        body = await _read(request)
        if body is None or not is_signed(key, body, request.headers.get(SIGNATURE, "")):
            return Response(status_code=404)
        asked = json.loads(body)
        return JSONResponse({"answer": instance.answer(asked["question"], asked["arguments"])})

    return Starlette(routes=[Route("/", answer, methods=["POST"])])


async def _read(request: Request) -> bytes | None:
    """Return None for what is longer than any question is."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)
