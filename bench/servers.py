"""The processes that are measured, each on the core of its own: the app, its variants, and the ceiling."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import IO
from urllib.error import URLError
from urllib.request import Request, urlopen

import msgspec
from cores import MEASURED, on_core
from recorded import Recording, Setup
from recording import JWT_SECRET
from stand import ACTOR, plain

from glasswork.core.tokens import Keys, issue_access_token

BENCH = Path(__file__).parent
PROGRAM = str(Path(sys.executable).with_name("glasswork"))
START_SECONDS = 60
OK = 200
NEVER = "9000000/minute"
READS = 20
"""Connections for single reads, half as many as for transactions; the ceiling has as many."""
ALL_SIGNALS = {
    "ENVIRONMENT": "production",
    "JWT_SECRET": JWT_SECRET,
    "TRUSTED_HOSTS": "127.0.0.1",
    "LOG_FORMAT": "json",
    "DATABASE_POOL_SIZE": str(2 * READS),
    "OPS_PAGE": "on",
    "OTEL_TRACES_SAMPLER_ARG": "0.1",
    "RATE_LIMIT_GLOBAL": NEVER,
    "RATE_LIMIT_TOKEN": NEVER,
    "RATE_LIMIT_ROUTES": f'{{"search_tasks": "{NEVER}", "log_in": "{NEVER}"}}',
}
"""The limits count as ever, and are too high to refuse anything."""
NO_SIGNALS = {"BENCH_VARIANT": "no signals", "LOG_LEVEL": "error", "OPS_PAGE": "off"}
MORE_ROUTES = {"BENCH_VARIANT": "more routes"}


@dataclass(frozen=True)
class Server:
    pid: int
    url: str
    start_seconds: float
    """From the start of the process to the first answer of 200."""


def new_token() -> str:
    """It is good for 15 minutes."""
    return issue_access_token(Keys.derive(JWT_SECRET), ACTOR)


@contextmanager
def app(
    database_url: str,
    collector: str,
    path: str,
    more: Mapping[str, str] | None = None,
    python_path: str | None = None,
) -> Iterator[Server]:
    """Yield `glasswork serve --no-worker`, or what `variant.py` makes of it, when it answers the path.

    With a `python_path` it is the code that stands there.
    """
    port = _free_port()
    program = [sys.executable, str(BENCH / "variant.py")] if more else [PROGRAM]
    environment = {
        "DATABASE_URL": database_url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "STORAGE_URL": f"file://{tempfile.gettempdir()}/glasswork-bench-files",
        **ALL_SIGNALS,
        **(more or {}),
        **({"PYTHONPATH": python_path} if python_path else {}),
    }
    with _serving([*program, "serve", "--no-worker", "--port", str(port)], environment, port, path) as server:
        yield server


@contextmanager
def app_on_its_own(data_dir: Path, path: str) -> Iterator[Server]:
    """Yield the app that starts its embedded database itself."""
    port = _free_port()
    command = [PROGRAM, "serve", "--no-worker", "--port", str(port), "--data-dir", str(data_dir)]
    environment = ALL_SIGNALS | {"ENVIRONMENT": "staging"}  # production wants a database of its own
    with _serving(command, environment, port, path) as server:
        yield server


@contextmanager
def ceiling(database_url: str, recording: Recording, path: str) -> Iterator[Server]:
    port = _free_port()
    setup = Setup(plain(database_url), JWT_SECRET, READS, recording)
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(msgspec.json.encode(setup))
        file.flush()
        command = [sys.executable, "-m", "uvicorn", "ceiling:make", "--factory", "--port", str(port)]
        command += ["--app-dir", str(BENCH), "--no-access-log", "--log-level", "warning"]
        with _serving(command, {"CEILING": file.name}, port, path) as server:
            yield server


@contextmanager
def _serving(command: list[str], environment: Mapping[str, str], port: int, path: str) -> Iterator[Server]:
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        began = monotonic()
        with on_core(MEASURED):
            process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        try:
            _wait(process, url + path, log)
            yield Server(process.pid, url, monotonic() - began)
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
    request = Request(url, headers={"Authorization": f"Bearer {new_token()}"})  # noqa: S310 (ours)
    deadline = monotonic() + START_SECONDS
    while True:
        try:
            with urlopen(request, timeout=5) as answer:  # noqa: S310 (likewise)
                assert answer.status == OK
                return
        except (URLError, ConnectionError):
            if process.poll() is not None or monotonic() > deadline:
                log.seek(0)
                raise SystemExit(log.read().decode()[-4000:]) from None
            sleep(0.005)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
