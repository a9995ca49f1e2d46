"""Which spans leave, and that no collector, dead, slow or refusing, harms anybody."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from prometheus_client import Counter as Metric

from glasswork.core.telemetry import traces
from glasswork.core.telemetry.traces import CountedExporter, KeepInteresting


def new_metric() -> Metric:
    return Metric("dropped", "Lost.", registry=None)


def count(metric: Metric) -> float:
    (family,) = metric.collect()
    return next(sample.value for sample in family.samples if sample.name == "dropped_total")


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP; answers with a status, when it is let."""

    daemon_threads = True

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.received: list[tuple[str, bytes]] = []
        self.may_answer = Event()


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, body))
        self.server.may_answer.wait()
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def collecting(status: int = 200) -> Iterator[Collector]:
    with Collector(status) as collector:
        Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield collector
        collector.may_answer.set()
        collector.shutdown()


@pytest.fixture
def dropped() -> Metric:
    return new_metric()


def provider_to(url: str, monkeypatch: pytest.MonkeyPatch, dropped: Metric) -> TracerProvider:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    return traces.create_tracer_provider("glasswork-api", "1.2.3", dropped)


def make_spans(provider: TracerProvider, number: int) -> float:
    """Return the seconds that the slowest one took its caller."""
    tracer, slowest = provider.get_tracer("test"), 0.0
    for _ in range(number):
        began = time.perf_counter()
        tracer.start_span("an otter").end()
        slowest = max(slowest, time.perf_counter() - began)
    return slowest


class TestCollector:
    def test_there_is_none_unless_it_is_named(self, dropped: Metric) -> None:
        provider = traces.create_tracer_provider("glasswork-api", "1.0", dropped)
        make_spans(provider, 10)
        traces.shut_down(provider)
        assert count(dropped) == 0

    def test_gets_at_the_end_what_is_left(self, monkeypatch: pytest.MonkeyPatch, dropped: Metric) -> None:
        with collecting() as collector:
            collector.may_answer.set()
            provider = provider_to(f"http://127.0.0.1:{collector.server_port}", monkeypatch, dropped)
            make_spans(provider, 1)
            traces.shut_down(provider)
            ((path, body),) = collector.received
        assert path == "/v1/traces"
        assert all(word in body for word in (b"an otter", b"glasswork-api", b"1.2.3"))
        assert count(dropped) == 0

    @pytest.mark.parametrize("status", [400, 413, 503])
    def test_that_refuses_loses_what_is_counted(
        self, monkeypatch: pytest.MonkeyPatch, dropped: Metric, status: int
    ) -> None:
        with collecting(status) as collector:
            collector.may_answer.set()
            provider = provider_to(f"http://127.0.0.1:{collector.server_port}", monkeypatch, dropped)
            make_spans(provider, 700)
            began = time.monotonic()
            traces.shut_down(provider)
            assert time.monotonic() - began < 20
        assert count(dropped) == 700

    def test_that_is_gone_loses_what_is_counted(
        self, monkeypatch: pytest.MonkeyPatch, dropped: Metric
    ) -> None:
        provider = provider_to("http://127.0.0.1:1", monkeypatch, dropped)
        make_spans(provider, 700)
        began = time.monotonic()
        traces.shut_down(provider)
        assert time.monotonic() - began < 20
        assert count(dropped) == 700

    def test_that_never_answers_holds_up_neither_spans_nor_the_end(
        self, monkeypatch: pytest.MonkeyPatch, dropped: Metric
    ) -> None:
        monkeypatch.setattr(traces, "EXPORT_SECONDS", 600)
        with collecting() as collector:
            provider = provider_to(f"http://127.0.0.1:{collector.server_port}", monkeypatch, dropped)
            more = traces.QUEUED_SPANS + 1000
            assert make_spans(provider, more) < 20  # of the 600 that one export may take
            began = time.monotonic()
            traces.shut_down(provider)
            assert time.monotonic() - began < 20
            assert not collector.may_answer.is_set()
        assert count(dropped) == more - traces.QUEUED_SPANS


class Kept(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


@contextmanager
def sampling(share: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TracerProvider, Kept]]:
    """Yield a provider, and what has left when the block is over."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    provider, kept = traces.create_tracer_provider("glasswork-api", "1.0", new_metric()), Kept()
    processor = KeepInteresting(CountedExporter(kept, new_metric()))
    provider.add_span_processor(processor)
    yield provider, kept
    provider.shutdown()


class TestSampling:
    def test_without_a_share_there_are_only_bad_and_slow_ones(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with sampling("0", monkeypatch) as (provider, kept):
            tracer = provider.get_tracer("test")
            for name in ("good", "bad", "slow"):
                began = time.time_ns()
                root = tracer.start_span(name, start_time=began)
                child = tracer.start_span(f"{name} child", set_span_in_context(root))
                if name == "bad":
                    child.set_status(StatusCode.ERROR)
                child.end()
                root.end(began + int(2e9) if name == "slow" else None)
        assert Counter(span.name for span in kept.spans) == Counter(
            ["bad", "bad child", "slow", "slow child"]
        )
        assert all(span.context and span.context.trace_flags.sampled for span in kept.spans)

    def test_a_caller_cannot_wish_to_be_sampled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        remote = SpanContext(17, 17, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        with sampling("0", monkeypatch) as (provider, kept):
            parent = set_span_in_context(NonRecordingSpan(remote))
            provider.get_tracer("test").start_span("wished", parent).end()
        assert kept.spans == []

    def test_a_share_of_the_good_ones_leaves(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with sampling("0.5", monkeypatch) as (provider, kept):
            make_spans(provider, 1000)
        assert 350 < len(kept.spans) < 650

    def test_all_leave_when_nothing_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with sampling("1", monkeypatch) as (provider, kept):
            make_spans(provider, 100)
        assert len(kept.spans) == 100

    def test_a_trace_that_never_ends_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with sampling("0", monkeypatch) as (provider, kept):
            tracer = provider.get_tracer("test")
            root = tracer.start_span("root")
            for _ in range(1000):
                tracer.start_span("child", set_span_in_context(root)).end()
            root.set_status(StatusCode.ERROR)
            root.end()
        assert len(kept.spans) == 201
        assert kept.spans[-1].name == "root"
