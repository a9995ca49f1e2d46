"""`glasswork serve`: what stands around the app, and is taken down with it."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from glasswork.app import create_app
from glasswork.commands import issue_setup_token
from glasswork.core.errors import EXIT_CONFIGURATION, StartError
from glasswork.core.listeners import listen
from glasswork.core.settings import Settings
from glasswork.installation import installation, refuse_other_schema

FINISH_SECONDS = 2
"""For requests in hand when the server is told to stop."""
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
            _run(settings, listeners, workers, lambda: announce(address, settings, setup_token))
        except KeyboardInterrupt:
            pass
        finally:
            # From here on a second Ctrl-C would leave things behind; what follows is bounded.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start()


class _Supervisor(Multiprocess):
    """Passes on that nobody wants to wait for the end of the drain; SIGTERM said twice means that."""

    _in_haste = False

    def handle_int(self) -> None:
        super().handle_int()
        self._in_haste = True

    def handle_term(self) -> None:
        self._in_haste = self.should_exit.is_set()
        super().handle_term()

    def join_all(self) -> None:
        while alive := [each.process for each in self.processes if each.process.is_alive()]:
            self.handle_signals()
            if self._in_haste:
                for process in alive:
                    process.terminate()
            wait([process.sentinel for process in alive], timeout=0.1)


def _run(
    settings: Settings, listeners: list[socket.socket], workers: int, on_start: Callable[[], None]
) -> None:
    config = uvicorn.Config(
        "glasswork.app:create_app",
        factory=True,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=FINISH_SECONDS,
        ws_max_size=MAX_MESSAGE_BYTES,
    )
    if workers == 1:
        _Server(config, on_start).run(sockets=listeners)
    else:
        for listener in listeners:
            listener.listen(config.backlog)  # who comes before the workers are up waits for them
        on_start()
        _Supervisor(config, sockets=listeners).run()


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
