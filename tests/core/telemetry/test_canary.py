"""A secret that comes in by any way reaches no signal."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from itertools import chain

import pytest
from fastapi import FastAPI, Request
from httpx2 import AsyncClient
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from glasswork.app import create_app
from glasswork.core.jobs import Job, Work
from glasswork.core.runner import Runner
from glasswork.core.telemetry.recorder import Recorder
from glasswork.core.telemetry.records import Record
from glasswork.core.tokens import digest
from tests.conftest import make_client, make_settings
from tests.core.runners import SECONDS, Note, order
from tests.databases import SERVING, Server
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_calendar_feed, make_project, make_task, make_workspace

from .conftest import Log

pytestmark = pytest.mark.anyio

CANARY = "CANARY-0190a7c2-canary"
HEADERS = (
    "User-Agent", "Host", "Origin", "Referer", "Cookie", "traceparent", "tracestate", "baggage", "X-Canary",
)  # fmt: skip


async def raise_it(request: Request) -> None:
    raise RuntimeError(f"a bug that repeats {(await request.body()).decode()}")


async def ask_badly(request: Request) -> None:
    """As a repository with a bug would: the value is in PostgreSQL's answer, and in SQLAlchemy's error."""
    async with request.app.state.database.transaction() as session:
        value = (await request.body()).decode()
        await session.execute(text("SELECT * FROM otters WHERE name = :value"), {"value": value})


@pytest.fixture
async def app(server: Server) -> AsyncIterator[FastAPI]:
    async with server.clone() as name:
        app = create_app(make_settings(server.url(SERVING, name), log_level="debug", log_format="json"))
        for path, endpoint in (("/bug", raise_it), ("/sql", ask_badly)):
            app.add_api_route(path, endpoint, methods=["POST"])
        async with app.router.lifespan_context(app):
            yield app


async def push_through_requests(app: FastAPI, client: AsyncClient) -> None:
    callers = Callers(client, app.state.database, app.state.keys)
    user = await callers.user()
    project = await make_project(user, await make_workspace(user))
    task = await make_task(user, project, title=CANARY, description=f"{CANARY}@example.com")
    await push_through_inputs(client, user, task["id"])
    await push_through_a_link(app, user, task["workspace_id"])
    for path in ("/bug", "/sql"):
        answer = await client.post(path, content=CANARY)
        assert answer.status_code == 500
        assert CANARY not in answer.text


async def push_through_a_link(app: FastAPI, user: Caller, workspace_id: str) -> None:
    """One that leads to a calendar, and one that leads nowhere."""
    await make_calendar_feed(user, {"id": workspace_id}, name=CANARY)
    async with app.state.database.system_transaction() as session:
        known = text("UPDATE calendar_feeds SET token_hash = :token_hash")
        await session.execute(known, {"token_hash": digest(CANARY)})
    links = [f"/api/v1/calendars/{token}.ics" for token in (CANARY, f"{CANARY}-too")]
    assert [(await user.client.get(link)).status_code for link in links] == [200, 404]


async def push_through_inputs(client: AsyncClient, user: Caller, task_id: str) -> None:
    registration = {
        "email": f"{CANARY}@example.com",
        "username": "canary",
        "name": CANARY,
        "password": CANARY,
    }
    await client.post("/api/v1/auth/register", json=registration)
    await client.post("/api/v1/auth/register", json=registration | {"email": CANARY, "extra": CANARY})
    await client.post("/api/v1/auth/token", data={"username": CANARY, "password": CANARY})
    await client.post("/api/v1/auth/refresh", json={"refresh_token": CANARY})
    await client.post("/api/v1/auth/verify-email", json={"token": CANARY})
    await client.post("/api/v1/auth/register", content=f'{{"password": "{CANARY}"')
    await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {CANARY}"})
    await client.get(f"/api/v1/users/{CANARY}?{CANARY}={CANARY}")
    await client.get(f"/{CANARY}/{CANARY}?q={CANARY}")
    await client.request(CANARY, "/health")
    parent = {"traceparent": f"00-{17:032x}-{17:016x}-01", "tracestate": f"canary={CANARY}"}
    await client.get("/api/v1/users/me", headers=parent)
    for header in HEADERS:
        await client.get("/api/v1/users/me", headers={header: CANARY})
    await user.get(f"/tasks/{task_id}", q=CANARY)
    await user.patch(f"/tasks/{task_id}", {"title": CANARY}, if_match=CANARY)
    await user.patch(f"/tasks/{task_id}", {"status": CANARY})
    await user.patch(f"/tasks/{task_id}", {"title": f"{CANARY} once more"})


async def push_through_a_job(app: FastAPI) -> None:
    async def run(_: Work, note: Note) -> None:
        raise ConnectionError(note.text)

    job = Job("test.canary", Note, run, max_attempts=1)
    await order(app.state.database, job, Note(text=CANARY))
    runner = Runner(app.state.database, [job], [], None, SECONDS, 3, app.state.signals)
    running = asyncio.create_task(runner.run())
    registry = app.state.signals.metrics.registry
    dead = {"job": "test.canary", "outcome": "dead"}
    async with asyncio.timeout(SECONDS):
        while not registry.get_sample_value("glasswork_jobs_total", dead):
            await asyncio.sleep(0.01)
    runner.stop.set()
    await running


def all_records(app: FastAPI) -> Iterator[Record]:
    recorder: Recorder = app.state.signals.recorder
    yield from chain(recorder.recent, recorder.failed, recorder.slow)


async def test_it_is_in_no_log_line_no_span_no_metric_and_not_on_the_page(app: FastAPI, log: Log) -> None:
    exporter = InMemorySpanExporter()
    app.state.signals.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with make_client(app) as client:
        await push_through_requests(app, client)
        await push_through_a_job(app)
        scraped = [
            (await client.get("/metrics", headers={"Accept": accept})).text
            for accept in ("text/plain", "application/openmetrics-text")
        ]
    spans = exporter.get_finished_spans()
    assert len(spans) > 50
    assert log.text.count("http.request") > 25
    assert "test.canary" in log.text
    kept = [([asdict(span) for span in record.spans], asdict(record)) for record in all_records(app)]
    assert len(kept) > 20  # while the machine is busy one of ten is kept
    for signal in (
        log.text,
        *scraped,
        json.dumps(kept, default=str),
        *(span.to_json() for span in spans),
        str(encode_spans(spans)),
    ):
        assert "canary-0190" not in signal.lower()
