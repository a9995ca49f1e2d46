"""The real program that is attacked, and what it tells of itself."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from resource import getpagesize

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url

from tests.conftest import SECRET
from tests.processes import Serving

from .target import Target, furnished

UP = "Glasswork is up."
ENVIRONMENT: Mapping[str, str] = {
    "JWT_SECRET": SECRET,
    "RATE_LIMIT_ENABLED": "false",
    "DATABASE_POOL_SIZE": "5",  # of the hundred connections that all tests share
    "PASSWORD_MIN_LENGTH": "8",  # as short as the document says
    "LIVE_STREAMS_PER_USER": "1000",
}


@dataclass(frozen=True)
class Process:
    serving: Serving
    target: Target

    def statuses(self) -> Counter[str]:
        """Of all requests that were answered so far, as it has counted them itself."""
        return self._counted("http_server_requests_total", "http_response_status_code")

    def refused(self) -> Counter[str]:
        """Why connections were given up before there was a request, or in the middle of one."""
        return self._counted("glasswork_connections_refused_total", "reason")

    def _counted(self, name: str, label: str) -> Counter[str]:
        families = text_string_to_metric_families(self.serving.client.get("/metrics").text)
        counted: Counter[str] = Counter()
        for sample in (sample for family in families for sample in family.samples):
            if sample.name == name and sample.value:
                counted[sample.labels[label]] += int(sample.value)
        return counted

    def memory(self) -> int:
        """Return how many bytes are resident."""
        pages = Path(f"/proc/{self.serving.process.pid}/statm").read_text().split()[1]
        return int(pages) * getpagesize()

    def faults(self) -> list[str]:
        if (code := self.serving.process.poll()) is not None:
            return [f"it exited with {code}: {self.serving.output[-5000:]}"]
        failed = [f"{count} x {status}" for status, count in self.statuses().items() if status >= "500"]
        lines = self.serving.output.partition(UP)[2].splitlines()
        return failed + [line for line in lines if line.startswith(('{"', "Traceback"))]


@contextmanager
def attacked(database_url: str, data_dir: Path) -> Iterator[Process]:
    """Jobs are not carried out: what is made up would send mail and call strangers."""
    environment = {"DATABASE_URL": database_url, **ENVIRONMENT}
    with Serving(data_dir, "--no-worker", **environment) as serving:
        port = make_url(serving.base_url).port
        assert port
        with furnished(port, database_url) as target:
            yield Process(serving, target)
