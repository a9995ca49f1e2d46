"""What an API process does from its start to its end, beside answering."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import UUID

import structlog
from fastapi import FastAPI

from glasswork.core.database_checks import tell_of_bypass
from glasswork.core.db import Database, open_database
from glasswork.core.draining import draining
from glasswork.core.garbage import collecting_seldom
from glasswork.core.health import Health
from glasswork.core.http import peers
from glasswork.core.oidc import providers_of
from glasswork.core.outgoing import Outgoing, open_outgoing
from glasswork.core.settings import Settings
from glasswork.core.storage import open_storage
from glasswork.core.telemetry.signals import Signals
from glasswork.core.wakeups import Wakeups
from glasswork.features.delivering.service import delivering
from glasswork.features.operations.service import FrameService
from glasswork.features.publishing.service import publishing
from glasswork.worker import JOBS, SUBSCRIBERS, create_runner

log = structlog.get_logger()

FINISH_SECONDS = 0.5
"""For jobs that a server carries out; callers wait for it to stop."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # outermost: it blocks the loop, which is watched from then on
    with collecting_seldom():
        async with _running(app):
            yield


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    signals: Signals = app.state.signals
    health: Health = app.state.health
    signals.metrics.foresee(
        app.state.routes.operations, (job.name for job in JOBS), app.state.rate_limits.policies
    )
    wakeups = Wakeups(settings.database_url.get_secret_value(), lambda each: _hear(app, each))
    async with (
        signals.watching() as loop,
        aclosing(app.state.counters),
        aclosing(app.state.cache),
        peers.telling(settings, signals, health, app.state.probe, loop) as others,
        health.watching(),
        open_database(settings, SUBSCRIBERS, signals, wakeups.tell) as database,
        open_outgoing(settings.outgoing_allowed, signals) as outgoing,
        wakeups.running(),
        _worker(app, database, outgoing),
    ):
        await tell_of_bypass(database)
        app.state.database, app.state.outgoing = database, outgoing
        app.state.storage = open_storage(settings.storage_url, settings.data_dir)
        app.state.oidc = providers_of(settings, outgoing)
        if others is not None:
            app.state.peers, app.state.frames = others, FrameService(database, others)
        log.info("process.started")
        with draining(settings.drain_seconds, lambda: _drain(app), lambda: _end_streams(app)):
            async with app.state.hub.looking():
                yield
    log.info("process.stopped")


def _hear(app: FastAPI, workspace_id: UUID) -> None:
    """Something has happened there, here or in another process."""
    app.state.hub.wake(workspace_id)
    app.state.cache.drop(workspace_id)


def _drain(app: FastAPI) -> None:
    app.state.health.drain()
    app.state.connections.drain()


def _end_streams(app: FastAPI) -> None:
    app.state.hub.end()
    if app.state.settings.has_ops_page:
        app.state.frames.end()


@asynccontextmanager
async def _worker(app: FastAPI, database: Database, outgoing: Outgoing) -> AsyncIterator[None]:
    """On a single machine the server does a worker's work too."""
    settings, signals = app.state.settings, app.state.signals
    if not settings.worker_inline:
        yield
        return
    runner = create_runner(settings, database, outgoing, signals, FINISH_SECONDS)
    working = asyncio.create_task(runner.run())
    async with (
        delivering(settings, database, signals, runner.stop, FINISH_SECONDS),
        publishing(settings, database, signals.metrics),
    ):
        yield
        runner.stop.set()
        await working
