"""How metrics are declared, and what a scrape of them answers: of one process, or of several workers."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the series of each counter and histogram

Combined = Literal["livesum", "livemax", "livemin", "livemostrecent"]

M = TypeVar("M", bound=MetricWrapperBase)


@dataclass(frozen=True, slots=True)
class Declared:
    name: str
    kind: str
    help: str
    labels: Sequence[str]


class Catalogue:
    """On a registry of its own; what is declared is kept in its order."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.declared: list[Declared] = []

    def expose(self, accept: str) -> tuple[bytes, str]:
        """Return what Prometheus scrapes and its media type; OpenMetrics, with exemplars, when asked for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._scraped()), content_type

    def _scraped(self) -> CollectorRegistry:
        """With several workers each answers for all of them, from the files they share."""
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if folder is None:
            return self.registry
        _forget_dead(Path(folder))
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return shared

    def _counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        return self._note(Counter(name, text, labels, registry=self.registry), f"{name}_total", text, labels)

    def _gauge(
        self, name: str, text: str, labels: Sequence[str] = (), of_workers: Combined = "livesum"
    ) -> Gauge:
        """With several workers the scrape answers the sum of theirs, the greatest or the least."""
        gauge = Gauge(name, text, labels, registry=self.registry, multiprocess_mode=of_workers)
        return self._note(gauge, name, text, labels)

    def _histogram(self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
        histogram = Histogram(name, text, labels, buckets=buckets, registry=self.registry)
        return self._note(histogram, name, text, labels)

    def _note(self, metric: M, name: str, text: str, labels: Sequence[str]) -> M:
        self.declared.append(Declared(name, type(metric).__name__.lower(), text, labels))
        return metric


def _forget_dead(folder: Path) -> None:
    """A worker that was killed leaves its gauges behind, and sums would still hold them."""
    for pid in {path.stem.rpartition("_")[2] for path in folder.glob("gauge_live*.db")}:
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker is answering a scrape, too
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
