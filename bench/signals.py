"""What each signal costs: `uv run task bench-signals`.

One read of a task, straight through the app without a socket, in CPU of this process (all threads, and not
PostgreSQL's). The variants take turns in small steps. The first one has no signals at all; each further one
adds to the one before it, and the last has the spans of the instrumentation package's own entry, without
export. Routes that nobody asks for are added to see what grows with their number.
"""

import argparse
import asyncio
import gc
import logging
import os
import statistics
import tempfile
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import httpx2
from collector import collecting
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from pydantic import SecretStr
from straight import ask

from glasswork.app import create_app
from glasswork.core import migrations
from glasswork.core.db import open_database
from glasswork.core.embedded import DATABASE, OWNER_ROLE, SERVING_ROLE, EmbeddedPostgres
from glasswork.core.http.middleware.request_context import RequestContextMiddleware
from glasswork.core.settings import Settings
from glasswork.core.telemetry.requests import RequestMetricsMiddleware
from glasswork.core.telemetry.server_spans import ServerSpanMiddleware
from glasswork.core.telemetry.signals import Signals
from glasswork.core.telemetry.traces import QUEUED_SPANS
from glasswork.worker import SUBSCRIBERS

SIGNALS = (ServerSpanMiddleware, RequestContextMiddleware, RequestMetricsMiddleware)
VARIANTS = ("nothing", "metrics", "and log lines", "and spans", "and the page", "and their export")
WITH_PAGE = ("and the page", "and their export")
OWN_LOOKUPS = "spans of the package"
WITHOUT_LOGS = ("nothing", "metrics")
MORE_ROUTES = (0, 60, 120)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glasswork-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home, durable=False) as server:
            owner, serving = (server.url(role, DATABASE) for role in (OWNER_ROLE, SERVING_ROLE))
            await migrations.upgrade(owner, serving)
            settings = Settings(
                database_url=SecretStr(serving),
                jwt_secret=SecretStr("-" * 32),
                rate_limit_enabled=False,
                log_format="json",
            )
            path, token = await make_task(settings)
            await measure(settings, path, token, options.rounds, options.requests)


async def measure(settings: Settings, path: str, token: str, rounds: int, requests: int) -> None:
    cpu: dict[tuple[str, int], list[float]] = {}
    async with AsyncExitStack() as stack:
        apps = {
            (variant, more): await stack.enter_async_context(variant_of(settings, variant, more))
            for variant in (*VARIANTS, OWN_LOOKUPS)
            for more in MORE_ROUTES
        }
        gc.collect()
        gc.freeze()
        for number in range(rounds + 1):
            for (variant, more), app in apps.items():
                level = logging.ERROR if variant in WITHOUT_LOGS else logging.INFO
                logging.getLogger().setLevel(level)
                began = process_time()
                await ask(app, path, token, requests)
                # Else the export would fall into the next one's time.
                await asyncio.to_thread(app.state.signals.tracer_provider.force_flush)
                if number:  # in the first one caches are filled
                    cpu.setdefault((variant, more), []).append((process_time() - began) / requests * 1e6)
    base = cpu["nothing", 0]
    print(f"{'CPU of one read, µs':<28}" + "".join(f"{f'+{more} routes':>16}" for more in MORE_ROUTES))
    for variant in (*VARIANTS, OWN_LOOKUPS):
        shown = [
            (statistics.median(cpu[variant, more]), ratio(cpu[variant, more], base)) for more in MORE_ROUTES
        ]
        print(f"{variant:<28}" + "".join(f"{median:>9.0f} ({times:.2f})" for median, times in shown))
    await measure_scrape(settings, path, token)
    measure_memory()
    await measure_collectors(settings, path, token, rounds, requests)


def ratio(rounds: list[float], base: list[float]) -> float:
    """Round by round, since the machine's speed changes more slowly than the variants take turns."""
    return statistics.median(each / of_base for each, of_base in zip(rounds, base, strict=True))


async def measure_collectors(settings: Settings, path: str, token: str, rounds: int, requests: int) -> None:
    """What a caller notices of a collector that lives, refuses or never answers."""
    seconds: dict[str, list[float]] = {}
    silent = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with AsyncExitStack() as stack:
        with collecting() as live:
            urls = {"live": live, "dead": "http://127.0.0.1:1", "silent": f"http://127.0.0.1:{port}"}
            apps = {
                name: await stack.enter_async_context(exporting(settings, url)) for name, url in urls.items()
            }
            for _ in range(rounds):
                for name, app in apps.items():
                    for _ in range(requests):
                        began = perf_counter()
                        await ask(app, path, token, 1)
                        seconds.setdefault(name, []).append(perf_counter() - began)
    for name, all_of_them in seconds.items():
        p50, p99 = (statistics.quantiles(all_of_them, n=100)[rank - 1] * 1000 for rank in (50, 99))
        print(f"collector {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    silent.close()


def measure_memory() -> None:
    """What is held for the signals, and at most for a collector that is away."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    signals = Signals("api")
    made = tracemalloc.get_traced_memory()[0]
    statement = {
        "db.query.text": "SELECT otters FROM rivers WHERE depth > $1",
        "db.system.name": "postgresql",
    }
    spans = []
    for _ in range(QUEUED_SPANS):
        spans.append(signals.tracer.start_span("SELECT rivers", attributes=statement))
        spans[-1].end()
    queued = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print(f"memory: {(made - before) / 1e6:.1f} MB, and {(queued - made) / 1e6:.1f} MB of spans at most")


async def measure_scrape(settings: Settings, path: str, token: str) -> None:
    async with variant_of(settings, "and spans", 0) as app:
        await ask(app, path, token, 100)
        signals: Signals = app.state.signals
        for accept in ("text/plain", "application/openmetrics-text"):
            began = perf_counter()
            body, _ = signals.metrics.expose(accept)
            series = sum(not line.startswith(b"#") for line in body.splitlines())
            print(f"scrape, {accept}: {series} series, {(perf_counter() - began) * 1000:.1f} ms")


@asynccontextmanager
async def exporting(settings: Settings, url: str) -> AsyncIterator[FastAPI]:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@asynccontextmanager
async def variant_of(settings: Settings, variant: str, more: int) -> AsyncIterator[FastAPI]:
    """An app with its database, and with the signals of the variant."""
    with ExitStack() as stack:
        os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
        if variant == "and their export":
            os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = stack.enter_context(collecting())
        page = "on" if variant in WITH_PAGE else "off"
        app = create_app(settings.model_copy(update={"ops_page": page}))
        for number in range(more):
            app.add_api_route(f"/more/{number}/{{id}}", lambda: None, name=f"more {number}")
        left_out: set[Any] = set(SIGNALS) if variant == "nothing" else set()
        if variant in {*WITHOUT_LOGS, "and log lines", OWN_LOOKUPS}:
            left_out.add(ServerSpanMiddleware)
        app.user_middleware = [each for each in app.user_middleware if each.cls not in left_out]
        signals: Signals = app.state.signals
        if variant == OWN_LOOKUPS:
            FastAPIInstrumentor.instrument_app(
                app,
                tracer_provider=signals.tracer_provider,
                meter_provider=NoOpMeterProvider(),
                exclude_spans=["receive", "send"],
            )
        is_observed = variant != "nothing"
        async with open_database(settings, SUBSCRIBERS, signals if is_observed else None) as database:
            app.state.database = database
            yield app
        await asyncio.to_thread(signals.tracer_provider.shutdown)


async def make_task(settings: Settings) -> tuple[str, str]:
    """Return its path and a token that may read it."""
    app = create_app(settings.model_copy(update={"log_level": "error"}))
    transport = httpx2.ASGITransport(app=app)
    async with (
        open_database(settings, SUBSCRIBERS) as database,
        httpx2.AsyncClient(transport=transport, base_url="http://localhost/api/v1") as client,
    ):
        app.state.database = database
        account = {"email": "bench@example.com", "username": "bench", "name": "Bench"}
        password = "tremendous otter 77"  # noqa: S105 (of nobody)
        await client.post("/auth/register", json=account | {"password": password})
        answer = await client.post("/auth/token", data={"username": "bench", "password": password})
        token: str = answer.json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        workspace = await client.post("/workspaces", json={"name": "Bench", "slug": "bench"})
        projects = f"/workspaces/{workspace.json()['id']}/projects"
        project = await client.post(projects, json={"name": "Bench", "key": "BENCH"})
        task = await client.post(f"/projects/{project.json()['id']}/tasks", json={"title": "Bench"})
        return f"/api/v1/tasks/{task.json()['id']}", token


if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where the log lines go
    asyncio.run(main())
