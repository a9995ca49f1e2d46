"""The app factory: middlewares, routers, the rendering of errors, and nothing else."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from glasswork import models as _models  # noqa: F401 (mappers need each other)
from glasswork.core.cache import Cache
from glasswork.core.counters import Counters
from glasswork.core.database_checks import DatabaseProbe, pooler_checks
from glasswork.core.health import Health
from glasswork.core.http import access, docs, document, errors, internal, metrics
from glasswork.core.http.callers import Callers
from glasswork.core.http.connections import Connections
from glasswork.core.http.dispatch import Dispatcher
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
from glasswork.core.settings import Environment, Settings
from glasswork.core.telemetry import logs
from glasswork.core.telemetry.requests import RequestMetricsMiddleware
from glasswork.core.telemetry.routes import Operation, Routes
from glasswork.core.telemetry.server_spans import FASTAPI_TELEMETRY_OFF, ServerSpanMiddleware
from glasswork.core.telemetry.signals import VERSION, Signals
from glasswork.core.tokens import Keys
from glasswork.features.accounts.service import ApiTokenUses
from glasswork.features.imports.router import FILE_PATH
from glasswork.features.operations import router as page
from glasswork.features.realtime.service import Hub
from glasswork.features.setup import router as setup
from glasswork.features.uploads.router import PATH as UPLOAD_PATH
from glasswork.routers import DESCRIPTION, TAGS, include_routers
from glasswork.running import lifespan


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
    include_routers(app)

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
    state.connections = Connections(signals.metrics, settings.max_connections, settings.metrics_port)
    state.health = Health(
        signals.metrics, [*state.probe.checks, *pooler_checks(settings), *state.counters.checks]
    )


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
