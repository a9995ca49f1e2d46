"""A server whose collector of spans is dead or mute: it serves, and ends when it is told to."""

import socket
from pathlib import Path
from time import monotonic

import pytest

from tests.processes import Serving

REQUESTS = 300

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["refuses", "is mute"])
def test_a_collector_that_takes_nothing(data_dir: Path, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as mute:
        port = mute.getsockname()[1] if kind == "is mute" else 1
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "RATE_LIMIT_ENABLED": "false"}
        with Serving(data_dir, **settings) as serving:
            for _ in range(REQUESTS):
                assert serving.client.get("/api/v1/users/me").status_code == 401
            began = monotonic()
            assert serving.stop() == 0
            assert monotonic() - began < 20  # 1.5 to 2.2 s on two quiet cores; the SDK alone would take 30
