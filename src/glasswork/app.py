"""The app factory: middlewares, routers, the rendering of errors, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import UUID

import structlog
from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from glasswork import models as _models  # noqa: F401 (mappers need each other)
from glasswork.core.cache import Cache
from glasswork.core.counters import Counters
from glasswork.core.database_checks import DatabaseProbe, tell_of_bypass
from glasswork.core.db import Database, open_database
from glasswork.core.draining import draining
from glasswork.core.errors import (
    MalformedRequestError,
    OutcomeUnknownError,
    PayloadTooLargeError,
    RateLimitError,
    ServiceUnavailableError,
    ValidationError,
)
from glasswork.core.garbage import collecting_seldom
from glasswork.core.health import Health
from glasswork.core.http import access, docs, document, errors, health, internal, metrics, peers
from glasswork.core.http.callers import Callers
from glasswork.core.http.dependencies import refuse_unknown_query
from glasswork.core.http.dispatch import Dispatcher
from glasswork.core.http.errors import InternalError, declare
from glasswork.core.http.middleware.body_limit import BodyLimitMiddleware
from glasswork.core.http.middleware.cors import CorsMiddleware
from glasswork.core.http.middleware.error_renderer import ErrorRendererMiddleware
from glasswork.core.http.middleware.rate_limit import RateLimitMiddleware
from glasswork.core.http.middleware.request_context import RequestContextMiddleware
from glasswork.core.http.middleware.retry import RetryMiddleware
from glasswork.core.http.middleware.security_headers import SecurityHeadersMiddleware
from glasswork.core.http.middleware.trusted_hosts import TrustedHostsMiddleware
from glasswork.core.http.rate_limits import RateLimits, rates_of
from glasswork.core.http.resources import API_PREFIX
from glasswork.core.oidc import providers_of
from glasswork.core.outgoing import Outgoing, open_outgoing
from glasswork.core.settings import Environment, Settings
from glasswork.core.storage import open_storage
from glasswork.core.telemetry import logs
from glasswork.core.telemetry.requests import RequestMetricsMiddleware
from glasswork.core.telemetry.routes import Operation, Routes
from glasswork.core.telemetry.server_spans import FASTAPI_TELEMETRY_OFF, ServerSpanMiddleware
from glasswork.core.telemetry.signals import VERSION, Signals
from glasswork.core.tokens import Keys
from glasswork.core.wakeups import Wakeups
from glasswork.features.account_exports.router import router as account_exports
from glasswork.features.accounts.router import auth, users
from glasswork.features.accounts.service import ApiTokenUses
from glasswork.features.activity.router import router as changes
from glasswork.features.announcements.router import router as announcements
from glasswork.features.api_tokens.router import router as api_tokens
from glasswork.features.archives.router import router as archives
from glasswork.features.attachments.router import router as attachments
from glasswork.features.audit.router import router as audit
from glasswork.features.boards.router import router as boards
from glasswork.features.bulk.router import router as bulk
from glasswork.features.calendars.router import router as calendars
from glasswork.features.comments.router import router as comments
from glasswork.features.credentials.router import router as credentials
from glasswork.features.deliveries.router import router as deliveries
from glasswork.features.delivering.service import delivering
from glasswork.features.exports.router import router as exports
from glasswork.features.history.router import router as history
from glasswork.features.hooks.router import router as hooks
from glasswork.features.idempotency.route import keyed
from glasswork.features.identities.router import router as identities
from glasswork.features.importing.router import router as importing
from glasswork.features.imports.router import FILE_PATH
from glasswork.features.imports.router import router as imports
from glasswork.features.invitations.router import acceptance
from glasswork.features.invitations.router import router as invitations
from glasswork.features.jobs.router import router as jobs
from glasswork.features.links.router import router as links
from glasswork.features.members.router import router as members
from glasswork.features.notifications.router import router as notifications
from glasswork.features.operations import router as page
from glasswork.features.operations.service import FrameService
from glasswork.features.placement.router import router as placement
from glasswork.features.privacy.router import router as privacy
from glasswork.features.projects.router import router as projects
from glasswork.features.publishing.service import publishing
from glasswork.features.realtime.router import router as realtime
from glasswork.features.realtime.service import Hub
from glasswork.features.receiving.router import router as receiving
from glasswork.features.relations.router import router as relations
from glasswork.features.removals.router import router as removals
from glasswork.features.reports.router import router as reports
from glasswork.features.search.router import router as search
from glasswork.features.second_factors.router import administration
from glasswork.features.second_factors.router import router as second_factors
from glasswork.features.setup import router as setup
from glasswork.features.sockets.router import router as sockets
from glasswork.features.tasks.router import router as tasks
from glasswork.features.uploads.router import PATH as UPLOAD_PATH
from glasswork.features.uploads.router import router as uploads
from glasswork.features.watchers.router import router as watchers
from glasswork.features.webhooks.router import router as webhooks
from glasswork.features.workflow.router import router as workflow
from glasswork.features.workspaces.router import router as workspaces
from glasswork.worker import JOBS, SUBSCRIBERS, create_runner

log = structlog.get_logger()

FINISH_SECONDS = 0.5
"""For jobs that a server carries out; callers wait for it to stop."""

DESCRIPTION = """A task tracker that shows its workings.

- **Errors** have one shape, `{"error": {"code", "message", "details", "request_id"}}`; read the `code`.
- **Lists** answer `{"items", "next_cursor", "total"}`; ask again with `cursor` until `next_cursor` is null.
- **Edits** are never lost: name the `ETag` you saw in `If-Match`, and a stale one is refused with 412.
- **Reads** of what you have cost little: name its `ETag` in `If-None-Match`, and 304 says it is the same.
- **PATCH** changes the fields that are sent, and no others; `null` clears one.
- **Retries** are safe: name a POST by an `Idempotency-Key`, and however often it comes it is done once."""

TAGS = [
    {"name": "auth", "description": "Accounts are opened, and tokens given and taken."},
    {"name": "users", "description": "My account; for admins of the installation, everybody's."},
    {"name": "workspaces", "description": "A team's own world, its members and invitations to it."},
    {"name": "announcements", "description": "What admins let everybody know, by mail."},
    {"name": "projects", "description": "Projects with their statuses and labels."},
    {"name": "tasks", "description": "What is to do."},
    {"name": "attachments", "description": "Files of tasks."},
    {"name": "reports", "description": "How the tasks of a project, or of a workspace, went."},
    {"name": "comments", "description": "What is said about tasks."},
    {"name": "calendars", "description": "Links by which calendars show what is due."},
    {"name": "notifications", "description": "What I am told, and how."},
    {"name": "changes", "description": "All that happens in a workspace, for those who keep a copy."},
    {"name": "webhooks", "description": "Where changes are sent to, and what came of it."},
    {"name": "hooks", "description": "Where other programs tell what happened there."},
    {"name": "imports", "description": "What comes from other trackers."},
    {"name": "archives", "description": "A whole workspace as a file, to keep or to move."},
    {"name": "audit", "description": "Who did what, for those who answer for others."},
    {"name": "operations", "description": "For admins of the installation."},
    {"name": "service", "description": "For those who keep this running."},
]

ROUTERS = (
    *(tasks, history, placement, relations, links, watchers, comments, attachments, uploads, notifications),
    *(bulk, search, boards, reports, exports, changes, realtime, removals, webhooks, deliveries),
    *(workflow, projects, workspaces, members, invitations, acceptance, users, administration, auth),
    *(announcements, hooks, receiving, imports, importing, calendars, archives),
    *(second_factors, credentials, identities, api_tokens, jobs, audit, account_exports, privacy),
    setup.router,
)

EVERYWHERE = declare(
    MalformedRequestError,
    PayloadTooLargeError,
    ValidationError,
    RateLimitError,
    InternalError,
    ServiceUnavailableError,
    OutcomeUnknownError,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the app; without settings they are read, as each worker process of uvicorn does."""
    settings = settings or Settings()
    lines = logs.configure_logs(settings, "api")
    signals = Signals("api", lines, records=settings.has_ops_page)
    app = FastAPI(
        title="Glasswork",
        version=VERSION,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url="/openapi.json" if settings.docs_enabled else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would be counted under its raw path
        generate_unique_id_function=lambda route: route.name,
        telemetry=FASTAPI_TELEMETRY_OFF,
        lifespan=lifespan,
        middleware=_middlewares(settings, signals),
    )
    _equip(app, settings, signals)
    errors.install(app)
    document.install(app)
    _include_routers(app)

    if settings.metrics_port is None:
        metrics.install(app, signals.metrics)
    if settings.docs_enabled:
        docs.install(app)
    if settings.has_ops_page:
        page.install(app)
    setup.install(app)
    access.ensure_declared(app)
    _observe(app, settings)
    _limit(app, settings)
    if settings.metrics_port is not None:
        inside = internal.create_app(signals.metrics, app.state.health)
        app.add_middleware(internal.InternalPortMiddleware, port=settings.metrics_port, inside=inside)
    return app


def _equip(app: FastAPI, settings: Settings, signals: Signals) -> None:
    """Give the app what its requests find in `app.state`; what must be closed comes with the lifespan."""
    state = app.state
    state.settings, state.signals = settings, signals
    state.keys = Keys.of(settings)
    state.api_token_uses = ApiTokenUses()
    state.probe = DatabaseProbe(settings.database_url.get_secret_value())
    state.counters = Counters(settings.redis_url if settings.rate_limit_enabled else None, signals.metrics)
    state.cache = Cache(settings.redis_url, signals.metrics)
    state.hub = Hub(lambda: state.database, settings, signals.metrics)
    state.health = Health(signals.metrics, [*state.probe.checks, *state.counters.checks])


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
        with draining(health, settings.drain_seconds, lambda: _end_streams(app)):
            async with app.state.hub.looking():
                yield
    log.info("process.stopped")


def _hear(app: FastAPI, workspace_id: UUID) -> None:
    """Something has happened there, here or in another process."""
    app.state.hub.wake(workspace_id)
    app.state.cache.drop(workspace_id)


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


def _middlewares(settings: Settings, signals: Signals) -> list[Middleware]:
    """Outermost first; request id and telemetry come around all of them."""
    larger: dict[Operation, int] = {
        ("PUT", f"{API_PREFIX}{UPLOAD_PATH}"): settings.attachment_max_bytes,
        ("PUT", f"{API_PREFIX}{FILE_PATH}"): settings.import_max_bytes,
    }
    return [
        Middleware(SecurityHeadersMiddleware),
        Middleware(CorsMiddleware, origins=settings.cors_origins),
        *([Middleware(RateLimitMiddleware)] if settings.rate_limit_enabled else []),
        Middleware(ErrorRendererMiddleware),
        Middleware(TrustedHostsMiddleware, hosts=settings.trusted_hosts),
        Middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes, larger=larger),
        Middleware(RetryMiddleware, metrics=signals.metrics, once=larger.keys()),
    ]


def _include_routers(app: FastAPI) -> None:
    app.include_router(health.router)
    app.include_router(sockets, prefix=API_PREFIX)
    for router in ROUTERS:
        app.include_router(
            keyed(router),
            prefix=API_PREFIX,
            responses=EVERYWHERE,
            dependencies=[Depends(refuse_unknown_query)],
        )


def _observe(app: FastAPI, settings: Settings) -> None:
    signals: Signals = app.state.signals
    routes = app.state.routes = Routes(app)
    app.router.middleware_stack = Dispatcher(app.router.middleware_stack, routes)
    tells_database = settings.environment is not Environment.PRODUCTION
    app.add_middleware(
        RequestMetricsMiddleware, routes=routes, metrics=signals.metrics, recorder=signals.recorder
    )
    app.add_middleware(
        RequestContextMiddleware,
        routes=routes,
        metrics=signals.metrics,
        recorder=signals.recorder,
        tells_database=tells_database,
    )
    app.add_middleware(ServerSpanMiddleware, routes=routes, provider=signals.tracer_provider)


def _limit(app: FastAPI, settings: Settings) -> None:
    callers = Callers(app.state.keys, app.state.api_token_uses.find_owner)
    app.state.rate_limits = RateLimits(
        rates_of(app, settings),
        settings,
        app.state.routes,
        callers,
        app.state.counters,
        app.state.signals.metrics,
    )
