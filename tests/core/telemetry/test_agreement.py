"""Counter, histogram, log line, server span and operations page agree on each request."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext, suppress
from time import time

import pytest
import uvicorn
from fastapi import FastAPI, Request
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.responses import StreamingResponse

from glasswork.app import create_app
from glasswork.core.telemetry.routes import UNMATCHED
from glasswork.core.telemetry.signals import Signals
from tests.conftest import make_client, make_settings
from tests.databases import SERVING, Server
from tests.factories.callers import Callers
from tests.factories.tracker import make_project, make_task, make_workspace

from .conftest import Log

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(240)]

REQUESTS = 10_000
CLIENTS = 16

Kind = tuple[str, str, int]
"""Method, route and status."""


class QuietServer(uvicorn.Server):
    """Leaves the signals of the process alone."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()


async def bug() -> None:
    raise RuntimeError("a bug")


async def slow() -> None:
    await asyncio.sleep(0.02)


async def parts() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b"otter " * 200
        await asyncio.sleep(0.001)


async def stream() -> StreamingResponse:
    return StreamingResponse(parts())


async def broken_parts() -> AsyncIterator[bytes]:
    yield b"otter"
    raise RuntimeError("a bug")


async def broken() -> StreamingResponse:
    return StreamingResponse(broken_parts())


async def upload(request: Request) -> int:
    return len(await request.body())


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[int]:
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off")
    server = QuietServer(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@pytest.fixture
async def app(server: Server) -> AsyncIterator[FastAPI]:
    async with server.clone() as name:
        app = create_app(make_settings(server.url(SERVING, name), log_level="info", max_body_bytes=2000))
        for path, endpoint in (("/bug", bug), ("/slow", slow), ("/stream", stream), ("/broken", broken)):
            app.add_api_route(path, endpoint)
        app.add_api_route("/upload", upload, methods=["POST"])
        async with app.router.lifespan_context(app):
            yield app


@pytest.fixture
def spans(app: FastAPI) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    app.state.signals.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.clear()


async def mixture(app: FastAPI) -> list[tuple[bytes, bool]]:
    """Requests, and whether the caller goes away in the middle."""
    async with make_client(app) as client:
        callers = Callers(client, app.state.database, app.state.keys)
        owner, stranger = await callers.user(), await callers.user()
        project = await make_project(owner, await make_workspace(owner))
        task = await make_task(owner, project)
    path = f"/api/v1/tasks/{task['id']}"
    mine, foreign = (f"Authorization: Bearer {caller.token}" for caller in (owner, stranger))
    return [
        (raw("GET", path, mine), False),
        (raw("GET", path, foreign), False),
        (raw("GET", path), False),
        (raw("PATCH", path, mine, 'If-Match: "999"', body='{"title": "otter"}'), False),
        (raw("PATCH", path, mine, body='{"title": 17}'), False),
        (raw("PUT", path, mine), False),
        (raw("MKCOL", path), False),
        (raw("GET", "/nowhere/otter?token=otter"), False),
        (raw("PROPFIND", "/nowhere"), False),
        (raw("GET", "/bug"), False),
        (raw("GET", "/slow"), False),
        (raw("GET", "/stream"), False),
        (raw("GET", "/stream"), True),
        (raw("GET", "/broken"), False),
        (raw("POST", "/upload", body="otter"), False),
        (raw("POST", "/upload", body="otter" * 1000), False),
        (raw("POST", "/upload", "Content-Length: 1000")[:-2] + b"\r\notter", True),
        (raw("GET", "/health"), False),
        (raw("GET", "/docs/assets/nothing.js"), False),
    ]


def raw(method: str, path: str, *headers: str, body: str = "") -> bytes:
    length = [f"Content-Length: {len(body)}", "Content-Type: application/json"] if body else []
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, *length, "", body]
    return "\r\n".join(lines).encode()


async def ask(port: int, request: bytes, goes_away: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    with suppress(ConnectionError):
        if goes_away and request.startswith(b"GET"):
            await reader.read(10)
        elif not goes_away:
            await reader.read()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def counted(signals: Signals) -> Counter[Kind]:
    samples = (sample for metric in signals.metrics.requests.collect() for sample in metric.samples)
    return Counter(
        {
            (
                sample.labels["http_request_method"],
                sample.labels["http_route"],
                int(sample.labels["http_response_status_code"]),
            ): int(sample.value)
            for sample in samples
            if sample.name.endswith("_total") and sample.value
        }
    )


def timed(signals: Signals) -> Counter[tuple[str, str]]:
    samples = (sample for metric in signals.metrics.request_seconds.collect() for sample in metric.samples)
    return Counter(
        {
            (sample.labels["http_request_method"], sample.labels["http_route"]): int(sample.value)
            for sample in samples
            if sample.name.endswith("_count") and sample.value
        }
    )


async def test_ten_thousand_mixed_requests(app: FastAPI, spans: InMemorySpanExporter, log: Log) -> None:
    requests = await mixture(app)
    before, times_before, lines_before = counted(app.state.signals), timed(app.state.signals), len(told(log))
    spans.clear()
    randomly = random.Random(17)  # noqa: S311 (no secret)
    to_send = [randomly.choice(requests) for _ in range(REQUESTS)]
    probes = sum(request.startswith(b"GET /health") for request, _ in to_send)

    async def send(port: int) -> None:
        while to_send:
            await ask(port, *to_send.pop())

    async with listening(app) as port, asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(send(port))

    by_kind = counted(app.state.signals) - before
    assert by_kind.total() == REQUESTS - probes
    assert {status for _, _, status in by_kind} == {200, 401, 404, 405, 412, 413, 422, 499, 500}
    assert {method for method, _, _ in by_kind} == {"GET", "PATCH", "POST", "PUT", "_OTHER"}
    by_route = Counter[tuple[str, str]]()
    for (method, route, _), count in by_kind.items():
        by_route[method, route] += count
    assert timed(app.state.signals) - times_before == by_route
    assert Counter(told(log)[lines_before:]) == by_kind
    assert Counter(seen(spans)) == by_kind
    assert shown(app.state.signals) == timed(app.state.signals)


def shown(signals: Signals) -> Counter[tuple[str, str]]:
    """What the operations page counts."""
    assert signals.recorder
    routes = signals.recorder.timeline.routes(time())
    assert sum(count.errors for count in routes.values()) == sum(
        number for (_, _, status), number in counted(signals).items() if status >= 500
    )
    return Counter({name: count.requests for name, count in routes.items()})


def told(log: Log) -> list[Kind]:
    lines = (json.loads(line) for line in log.text.splitlines())
    return [
        (line["method"], line["route"], line["status"]) for line in lines if line["event"] == "http.request"
    ]


def seen(spans: InMemorySpanExporter) -> Iterator[Kind]:
    for span in spans.get_finished_spans():
        attributes = span.attributes or {}
        if span.kind is SpanKind.SERVER:
            yield (
                str(attributes["http.request.method"]),
                str(attributes.get("http.route", UNMATCHED)),
                int(str(attributes["http.response.status_code"])),
            )
