"""`glasswork serve`: what stands around the app, and is taken down with it."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from uvicorn.supervisors import Multiprocess

from glasswork.core.errors import EXIT_CONFIGURATION, StartError
from glasswork.core.settings import Settings
from glasswork.installation import installation, refuse_other_schema

FINISH_SECONDS = 2
"""For requests in hand when the server is told to stop."""


def serve(
    host: str,
    port: int,
    data_dir: Path | None,
    workers: int,
    with_worker: bool,
    announce: Callable[[str, Settings], None],
) -> None:
    """Serve until SIGINT or SIGTERM; then everything that was started is stopped, within 3 seconds."""
    # uvicorn raises the signal that stopped it once more; unhandled, it would end us with PostgreSQL running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(host, port))
        try:
            settings = stack.enter_context(installation(data_dir))
            asyncio.run(refuse_other_schema(settings))
            os.environ["WORKER_INLINE"] = str(with_worker)
            if workers > 1:
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(TemporaryDirectory())
            _run(settings, listener, workers, lambda: announce(_address(listener), settings))
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


def _run(settings: Settings, listener: socket.socket, workers: int, on_start: Callable[[], None]) -> None:
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
    )
    if workers == 1:
        _Server(config, on_start).run(sockets=[listener])
    else:
        listener.listen(config.backlog)  # who comes before the workers are up waits for them
        on_start()
        Multiprocess(config, sockets=[listener]).run()


def _listen(host: str, port: int) -> socket.socket:
    """Take the address before anything is started that would have to be stopped again."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        message = f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another one with --port."
        raise StartError(message, EXIT_CONFIGURATION) from error
    listener.set_inheritable(True)
    return listener


def _address(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"
