"""A server whose log nobody takes: requests are answered, and it ends when it is told to."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx2
import pytest

from glasswork.server import FINISH_SECONDS
from tests.data_dirs import used_data_dir
from tests.processes import PROGRAM, Serving

LOUD = {"LOG_LEVEL": "info", "LOG_FORMAT": "json", "RATE_LIMIT_ENABLED": "false"}
PIPE_BYTES = 65536

pytestmark = pytest.mark.slow


class Unheard(Serving):
    def _read(self) -> None:
        """After the first lines nobody does."""


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with used_data_dir() as folder:
        yield folder


@contextmanager
def unseen(data_dir: Path, redirection: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx2.Client]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    serve = [PROGRAM, "serve", "--port", port, "--data-dir", str(data_dir)]
    process = subprocess.Popen(["sh", "-c", f'exec "$@" {redirection}', "sh", *serve], env=os.environ | LOUD)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            wait_until_it_answers(client, process)
            yield process, client
    finally:
        process.kill()
        process.wait()


def wait_until_it_answers(client: httpx2.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + 60
    while True:
        assert process.poll() is None
        assert monotonic() < deadline
        try:
            client.get("/health")
        except httpx2.ConnectError:
            sleep(0.1)
        else:
            return


def ask_often(client: httpx2.Client, times: int) -> None:
    for _ in range(times):
        assert client.get("/api/v1/users/me").status_code == 401


def test_a_pipe_that_nobody_reads(data_dir: Path) -> None:
    with Unheard(data_dir, **LOUD) as serving:
        ask_often(serving.client, 2000)
        began = monotonic()
        assert serving.stop() == 0
        assert monotonic() - began < FINISH_SECONDS + 10
        assert serving.process.stderr
        assert len(serving.process.stderr.read()) > PIPE_BYTES - 8192  # the pipe was full indeed


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"], ids=["a full disk", "a closed stderr"])
def test_a_sink_that_takes_nothing(data_dir: Path, redirection: str) -> None:
    with unseen(data_dir, redirection) as (process, client):
        ask_often(client, 200)
        began = monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert monotonic() - began < FINISH_SECONDS + 10
