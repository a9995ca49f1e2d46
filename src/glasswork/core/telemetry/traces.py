"""One server span a request, exported over OTLP when OTEL_EXPORTER_OTLP_ENDPOINT names a collector."""

import os
from threading import Thread

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

EXPORT_SECONDS = 2
SHUTDOWN_SECONDS = 3

# FastAPI's own telemetry would add spans beside those of the instrumentation package.
FASTAPI_TELEMETRY_OFF: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}

_UNTRACED = r"^https?://[^/]*/(health|ready|metrics)$"  # unanchored, it would hide any path with these words


def create_tracer_provider(version: str) -> TracerProvider:
    resource = Resource.create({"service.name": "glasswork", "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_SECONDS)))
    return provider


def trace_requests(app: FastAPI, provider: TracerProvider) -> None:
    # The package decides once per process which names its attributes have.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=provider,
        meter_provider=NoOpMeterProvider(),
        excluded_urls=_UNTRACED,
        exclude_spans=["receive", "send"],
    )


def shut_down(provider: TracerProvider) -> None:
    """Flush for a bounded time: with a dead collector the SDK's own shutdown takes 30 s."""
    thread = Thread(target=provider.shutdown, daemon=True)
    thread.start()
    thread.join(SHUTDOWN_SECONDS)
