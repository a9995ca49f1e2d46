"""`glasswork serve`: what stands around the app, and is taken down with it."""

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn

from glasswork.app import create_app
from glasswork.commands import issue_setup_token
from glasswork.core.errors import EXIT_CONFIGURATION, StartError
from glasswork.core.http.serving import Server
from glasswork.core.listeners import listen
from glasswork.core.settings import Settings
from glasswork.core.supervision import supervise
from glasswork.core.telemetry.logs import configure_logs
from glasswork.installation import installation, refuse_other_schema

FINISH_SECONDS = 2
"""For requests in hand when the server is told to stop."""
BACKLOG = 2048
"""Of connections that are not yet taken; the kernel may allow fewer."""
FILES_BESIDE = 1000
"""For the database, files and neighbours, beside the callers' connections."""
MAX_MESSAGE_BYTES = 65_536
"""Of a WebSocket; what is asked for by one is far shorter."""


def serve(
    host: str,
    port: int,
    data_dir: Path | None,
    workers: int,
    with_worker: bool,
    announce: Callable[[str, Settings, str | None], None],
) -> None:
    """Serve until SIGINT or SIGTERM; then everything that was started is stopped, within 3 seconds.

    SIGTERM is heard DRAIN_SECONDS late, see `core/draining.py`.
    """
    # uvicorn raises the signal that stopped it once more; unhandled, it would end us with PostgreSQL running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    with ExitStack() as stack:
        listeners = [stack.enter_context(listen(host, port, "--port"))]
        try:
            settings = stack.enter_context(installation(data_dir))
            asyncio.run(refuse_other_schema(settings))
            setup_token = asyncio.run(issue_setup_token(settings))
            if settings.metrics_port:
                listeners.append(stack.enter_context(_listen_inside(settings, listeners[0])))
            os.environ["WORKER_INLINE"] = str(with_worker)
            if workers > 1:
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(TemporaryDirectory())
            if workers > 1 and settings.rate_limit_routes:
                create_app(settings)  # refuses here: workers that cannot start are started again and again
            address = _address(listeners[0])
            if "public_url" not in settings.model_fields_set:
                os.environ["PUBLIC_URL"] = address  # what links in answers and letters begin with
            _serve(settings, listeners, workers, lambda: announce(address, settings, setup_token))
        except KeyboardInterrupt:
            pass
        finally:
            # From here on a second Ctrl-C would leave things behind; what follows is bounded.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _serve(
    settings: Settings, listeners: Sequence[socket.socket], workers: int, on_start: Callable[[], None]
) -> None:
    _allow_files(settings.max_connections)
    if workers == 1:
        _work(listeners, on_start)
        return
    for listener in listeners:
        listener.listen(BACKLOG)  # who comes before the workers are up waits for them
    on_start()
    configure_logs(settings, "api")
    supervise(workers, _work, listeners)


def _work(listeners: Sequence[socket.socket], on_start: Callable[[], None]) -> None:
    """Serve in this process, until a signal stops it."""
    app = create_app()
    settings: Settings = app.state.settings
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        backlog=BACKLOG,
        timeout_graceful_shutdown=FINISH_SECONDS,
        ws_max_size=MAX_MESSAGE_BYTES,
    )
    Server(config, app.state.connections, on_start).run(sockets=list(listeners))


def _listen_inside(settings: Settings, outside: socket.socket) -> socket.socket:
    assert settings.metrics_port  # noqa: S101 (who calls has looked)
    if settings.metrics_port == outside.getsockname()[1]:
        # Also where the hosts differ: the port tells who asks.
        message = f"METRICS_PORT and --port are both {settings.metrics_port}."
        raise StartError(message, EXIT_CONFIGURATION)
    return listen(settings.metrics_host, settings.metrics_port, "METRICS_PORT")


def _address(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def _allow_files(connections: int) -> None:
    """Raise what the process may have open, which is often 1024, as far as it is allowed to."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + FILES_BESIDE
    if now not in {resource.RLIM_INFINITY, max(now, wanted)}:
        allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
