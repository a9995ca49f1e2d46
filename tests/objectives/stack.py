"""A real Prometheus and a real Alertmanager around the real programs, in a hurry.

The rules are those of slo.yaml with all times divided by `TEMPO`: an hour takes a minute.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

import httpx2
import pytest
import yaml

from objectives.files import DEPLOY, PLAN, make_files
from objectives.plan import Tempo
from tests.processes import free_port, until

TEMPO = Tempo(60)
API, WORKER = "glasswork-api", "glasswork-worker"
PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
_TEMPLATE = Path("/usr/share/prometheus/alertmanager/default.tmpl")

needs_programs = [
    pytest.mark.skipif(
        not (PROMETHEUS and shutil.which("promtool")),
        reason="needs prometheus and promtool: apt-get install prometheus",
    ),
    pytest.mark.skipif(
        ALERTMANAGER is None or ("prometheus-" in ALERTMANAGER and not _TEMPLATE.exists()),
        reason=f"needs alertmanager (Debian's also {_TEMPLATE}): apt-get install prometheus-alertmanager",
    ),
]


@dataclass(frozen=True)
class Notice:
    """What a receiver was told of one alert."""

    receiver: str
    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass
class Receivers:
    """Where Alertmanager calls; webhooks call there, too, and are not kept."""

    notices: list[Notice] = field(default_factory=list)
    port: int = 0

    def raised(self, alert: str, receiver: str, since: int = 0) -> Notice | None:
        for notice in self.notices[since:]:
            if (notice.labels["alertname"], notice.status, notice.receiver) == (alert, "firing", receiver):
                return notice
        return None

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def has_ended(self, raised: Notice, since: int) -> bool:
        told = [notice for notice in self.notices[since:] if notice.labels == raised.labels]
        return any((notice.status, notice.receiver) == ("resolved", raised.receiver) for notice in told)


@contextmanager
def receiving() -> Iterator[Receivers]:
    receivers = Receivers()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in body.get("alerts", ()):
                notice = Notice(self.path[1:], alert["status"], alert["labels"], alert["annotations"])
                receivers.notices.append(notice)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receivers.port = server.server_port
        Thread(target=server.serve_forever, daemon=True).start()
        yield receivers
        server.shutdown()


class Stack:
    """One that scrapes these targets, by job, and the programs that it is made of itself."""

    def __init__(self, folder: Path, receivers: Receivers, targets: Mapping[str, Sequence[int]]) -> None:
        self.receivers = receivers
        self._folder = folder
        self._port, self._alerts_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.client = httpx2.Client(base_url=self.url, timeout=10)
        for job, ports in targets.items():
            self.discover(job, ports)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.client)
        self._stack.enter_context(self._alertmanager())
        self._stack.enter_context(self._prometheus())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def alertmanager_url(self) -> str:
        return f"http://127.0.0.1:{self._alerts_port}"

    def discover(self, job: str, ports: Sequence[int]) -> None:
        """Tell Prometheus where the processes of a job are."""
        targets = [{"targets": [f"127.0.0.1:{port}" for port in ports]}] if ports else []
        draft = self._folder / f"{job}.draft"
        draft.write_text(json.dumps(targets))
        draft.rename(self._folder / f"{job}.json")

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = self.client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def has(self, expression: str) -> bool:
        return bool(self.query(expression))

    def firing(self) -> set[str]:
        return {each["metric"]["alertname"] for each in self.query('ALERTS{alertstate="firing"}')}

    @contextmanager
    def _alertmanager(self) -> Iterator[None]:
        folder = self._folder / "alertmanager"
        folder.mkdir()
        shutil.copy(DEPLOY / "alertmanager/start.sh", folder)
        (folder / "alertmanager.yml").write_text(make_files(PLAN, TEMPO)["alertmanager/alertmanager.yml"])
        for name in ("page", "ticket", "watchdog"):
            (folder / f"{name}_url").write_text(f"http://127.0.0.1:{self.receivers.port}/{name}")
        options = [
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{self._alerts_port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ]
        environment = os.environ | {"ALERTMANAGER": ALERTMANAGER or "", "RECEIVERS": str(folder)}
        with running(["sh", f"{folder}/start.sh", *options], self.alertmanager_url, environment):
            yield

    @contextmanager
    def _prometheus(self) -> Iterator[None]:
        folder = self._folder
        (folder / "rules.yml").write_text(make_files(PLAN, TEMPO)["prometheus/rules.yml"])
        (folder / "prometheus.yml").write_text(yaml.safe_dump(self._configuration()))
        options = [
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--rules.alert.resend-delay=1s",
            "--log.level=error",
        ]
        with running([PROMETHEUS or "", *options], self.url, os.environ):
            yield

    def _configuration(self) -> dict[str, Any]:
        """The deployed one, with other addresses and a shorter pause between scrapes."""
        made: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
        made["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        ports = {"prometheus": self._port, "alertmanager": self._alerts_port}
        # Traefik, the collector and Tempo are not there.
        beside = {"traefik", "otel-collector", "tempo"}
        made["scrape_configs"] = [job for job in made["scrape_configs"] if job["job_name"] not in beside]
        for job in made["scrape_configs"]:
            if job.pop("dns_sd_configs", None):
                files = [f"{self._folder}/{job['job_name']}.json"]
                job["file_sd_configs"] = [{"files": files, "refresh_interval": "1s"}]
            else:
                job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
        (alertmanagers,) = made["alerting"]["alertmanagers"]
        alertmanagers["static_configs"] = [{"targets": [f"127.0.0.1:{self._alerts_port}"]}]
        return made


@contextmanager
def running(command: Sequence[str], url: str, environment: Mapping[str, str]) -> Iterator[None]:
    def is_ready() -> bool:
        assert process.poll() is None, f"{command[0]} has ended"
        try:
            return httpx2.get(f"{url}/-/ready").status_code == 200
        except httpx2.TransportError:
            return False

    process = subprocess.Popen(command, env=environment)
    try:
        until(is_ready)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
