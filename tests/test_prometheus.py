"""A real Prometheus, with the configuration that is deployed, scrapes the real programs."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any

import httpx2
import pytest
import yaml

from tests.processes import Serving, Working, free_port, until

CONFIGURATION = Path(__file__).parents[1] / "deploy/prometheus/prometheus.yml"
API, WORKER = "glasswork-api", "glasswork-worker"

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="needs prometheus and promtool: apt-get install prometheus",
)


class Prometheus:
    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def is_ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def value(self, query: str) -> float | None:
        """Return the value of the only series that answers, if there is one."""
        result = self._get("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    def traces(self, metric: str) -> set[str]:
        """Return the trace ids of its exemplars of the last hour."""
        found = self._get("query_exemplars", query=metric, start=time() - 3600, end=time() + 60)
        return {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}

    def _get(self, path: str, **parameters: str | float) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, int]) -> Iterator[Prometheus]:
    """Scrapes these ports as these jobs, every second."""
    configuration = yaml.safe_load(CONFIGURATION.read_text())
    configuration["global"]["scrape_interval"] = "1s"
    jobs = [job for job in configuration["scrape_configs"] if job["job_name"] in targets]
    assert len(jobs) == len(targets)
    for job in jobs:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
    configuration["scrape_configs"] = jobs
    del configuration["alerting"], configuration["rule_files"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port = free_port()
    options = [
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    process = subprocess.Popen(["prometheus", *options])
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            server = Prometheus(client)
            until(server.is_ready)
            yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


def complaints(url: str) -> str:
    """What promtool has to say of a scrape."""
    scrape = httpx2.get(f"{url}/metrics", timeout=10).text
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def port_of(serving: Serving) -> int:
    return int(serving.base_url.rpartition(":")[2])


def test_the_configuration_is_sound() -> None:
    subprocess.run(["promtool", "check", "config", CONFIGURATION], check=True)


@pytest.mark.slow
def test_exemplars_lead_to_the_traces_of_the_answers(data_dir: Path, tmp_path: Path) -> None:
    api, worker = free_port(), free_port()
    with (
        Serving(data_dir, "--no-worker", METRICS_PORT=str(api)) as serving,
        Working(data_dir, METRICS_PORT=str(worker)),
        prometheus(tmp_path, {API: api, WORKER: worker}) as server,
    ):
        until(lambda: server.value("sum(up)") == 2)
        until(lambda: server.value("sum(glasswork_ready)") == 2)
        assert complaints(f"http://127.0.0.1:{api}") == ""
        assert complaints(f"http://127.0.0.1:{worker}") == ""
        answers = [serving.client.get(f"/api/v1/{path}") for path in ("users/me", "nowhere", "jobs") * 3]
        traces = {answer.headers["traceresponse"].split("-")[1] for answer in answers}
        assert until(lambda: server.traces("http_server_requests_total")) <= traces
        assert until(lambda: server.traces("http_server_request_duration_seconds_bucket")) <= traces


@pytest.mark.slow
def test_the_sums_of_several_processes_are_the_requests_sent(data_dir: Path, tmp_path: Path) -> None:
    with (
        Serving(data_dir, "--no-worker", "--workers", "2") as serving,
        prometheus(tmp_path, {API: port_of(serving)}) as server,
    ):
        until(lambda: server.value("sum(db_client_connection_max)") == 40)
        assert complaints(serving.base_url) == ""
        for number in range(50):
            with httpx2.Client(base_url=serving.base_url, timeout=30) as fresh_connection:
                fresh_connection.get("/api/v1/users/me" if number % 2 else "/nowhere")
        until(lambda: (server.value("sum(http_server_requests_total)") or 0) >= 50)
        assert server.value("sum(http_server_requests_total)") == 50
        by_status = 'sum(http_server_requests_total{http_response_status_code="401"})'
        assert server.value(by_status) == 25
