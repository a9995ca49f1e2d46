"""One trace from a request to the mail or the webhook that follows from it, as a collector sees it."""

import gzip
import socket
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.factories.callers import PASSWORD
from tests.processes import Serving

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECONDS = 30


class Collector(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: Queue[Span] = Queue()


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.server.spans.put(span)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Hook(ThreadingHTTPServer):
    """A receiver of a webhook; keeps the headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.received: Queue[Message] = Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Taking(_Handler):
    server: Hook  # type: ignore[assignment]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.put(self.headers)
        self.send_response(200)
        self.end_headers()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield collector
        collector.shutdown()


@pytest.fixture
def smtp() -> Iterator[Controller]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Sink(), "127.0.0.1", port)
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as hook:
        Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield hook
        hook.shutdown()


def attributes(span: Span) -> dict[str, object]:
    return {item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in span.attributes}


@pytest.mark.slow
def test_from_the_request_to_the_mail(data_dir: Path, collector: Collector, smtp: Controller) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "SMTP_URL": f"smtp://127.0.0.1:{smtp.port}",
    }
    body = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}
    with Serving(data_dir, **environment) as serving:
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": "from-request-to-mail"}
        answer = serving.client.post("/api/v1/auth/register", json=body, headers=headers)
        assert answer.status_code == 201
        assert answer.headers["traceresponse"].split("-")[1] == TRACE
        trace = [collector.spans.get(timeout=SECONDS)]
        while trace[-1].name != "process credentials.send_welcome":
            trace.append(collector.spans.get(timeout=SECONDS))
        assert serving.stop() == 0
    while not collector.spans.empty():
        trace.append(collector.spans.get())
    assert {span.trace_id.hex() for span in trace} == {TRACE}
    by_id = {span.span_id: span for span in trace}
    assert [span.name for span in trace if span.parent_span_id not in by_id] == ["POST /api/v1/auth/register"]
    by_name = {span.name: span for span in trace}
    request, sent = by_name["POST /api/v1/auth/register"], by_name["send credentials.send_welcome"]
    done, mail = by_name["process credentials.send_welcome"], by_name["send mail"]
    assert request.parent_span_id.hex() == CALLER
    assert request.kind == Span.SPAN_KIND_SERVER
    assert (sent.parent_span_id, done.parent_span_id, mail.parent_span_id) == (
        request.span_id,
        sent.span_id,
        done.span_id,
    )
    statements = {
        name: by_id[span.parent_span_id].name
        for name, span in by_name.items()
        if "db.system.name" in attributes(span)
    }
    assert statements["INSERT users"] == request.name
    assert statements["INSERT jobs.pgqueuer jobs.pgqueuer_log"] == sent.name
    assert "COMMIT" in statements
    told = attributes(request)
    assert (told["http.route"], told["http.request.method"], told["http.response.status_code"]) == (
        "/api/v1/auth/register",
        "POST",
        201,
    )
    assert told["glasswork.request_id"] == attributes(done)["glasswork.request_id"] == "from-request-to-mail"
    assert attributes(mail)["server.port"] == smtp.port
    assert "ada@example.com" not in str(trace)


@pytest.mark.slow
def test_from_the_request_to_the_webhook(data_dir: Path, collector: Collector, hook: Hook) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8",
    }
    with Serving(data_dir, **environment) as serving:
        path = prepare(serving, hook.url)
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": "from-request-to-hook"}
        assert serving.client.post(path, json={"title": "Dig"}, headers=headers).status_code == 201
        received = hook.received.get(timeout=SECONDS)
        assert serving.stop() == 0
    assert received["X-Request-ID"] == "from-request-to-hook"
    assert received["traceparent"] is None
    spans = [collector.spans.get() for _ in range(collector.spans.qsize())]
    trace = [span for span in spans if span.trace_id.hex() == TRACE]
    by_name = {span.name: span for span in trace}
    request, delivered, called = (
        by_name[name] for name in ("POST /api/v1/projects/{project_id}/tasks", "deliver webhook", "POST")
    )
    by_id = {span.span_id for span in trace}
    assert [span.name for span in trace if span.parent_span_id not in by_id] == [request.name]
    assert by_name["INSERT tasks"].parent_span_id == request.span_id
    assert by_name["UPDATE deliveries"].parent_span_id == delivered.span_id
    assert (delivered.parent_span_id, called.parent_span_id) == (request.span_id, delivered.span_id)
    told = attributes(called)
    assert (told["server.port"], told["http.response.status_code"]) == (hook.server_port, 200)
    assert attributes(delivered)["glasswork.request_id"] == "from-request-to-hook"
    assert "Dig" not in str(trace)


def prepare(serving: Serving, hook: str) -> str:
    """Sign in, and return where tasks are made that the hook is told of."""
    client = serving.client
    body = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}
    client.post("/api/v1/auth/register", json=body)
    form = {"username": "ada", "password": PASSWORD}
    token = client.post("/api/v1/auth/token", data=form).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    workspace = client.post("/api/v1/workspaces", json={"name": "Otters", "slug": "otters"}).json()
    path = f"/api/v1/workspaces/{workspace['id']}"
    webhook = {"url": hook, "events": ["task.created"]}
    assert client.post(f"{path}/webhooks", json=webhook).status_code == 201
    project = client.post(f"{path}/projects", json={"name": "Holts", "key": "HOLT"}).json()
    return f"/api/v1/projects/{project['id']}/tasks"
