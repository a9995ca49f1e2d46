from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from glasswork.core.db import Database
from glasswork.core.settings import Settings
from tests.conftest import make_client
from tests.core.http.answers import Request, every_answer, make_offline_app
from tests.factories.callers import Callers

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["the package's", "ours"])
def traced_app(settings: Settings, request: pytest.FixtureRequest) -> FastAPI:
    app = make_offline_app(settings)
    app.state.signals.tracer_provider.exports = request.param == "the package's"
    app.state.exporter = InMemorySpanExporter()
    app.state.signals.tracer_provider.add_span_processor(SimpleSpanProcessor(app.state.exporter))
    return app


@pytest.fixture
def exporter(traced_app: FastAPI) -> Iterator[InMemorySpanExporter]:
    exporter: InMemorySpanExporter = traced_app.state.exporter
    yield exporter
    exporter.clear()


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


class TestSpan:
    @every_answer
    async def test_is_a_single_one_and_knows_the_request(
        self, traced_app: FastAPI, exporter: InMemorySpanExporter, request_: Request
    ) -> None:
        async with make_client(traced_app) as client:
            response = await request_.send(client)
        span = only(exporter)
        attributes = span.attributes or {}
        assert span.kind is SpanKind.SERVER
        assert attributes["glasswork.request_id"] == response.headers["X-Request-ID"]
        assert attributes["http.response.status_code"] == response.status_code
        assert (span.status.status_code is StatusCode.ERROR) is (response.status_code >= 500)

    async def test_is_named_by_the_route_and_holds_no_token(
        self, traced_app: FastAPI, exporter: InMemorySpanExporter, callers: Callers, database: Database
    ) -> None:
        user = await callers.user()
        away, traced_app.state.database = traced_app.state.database, database
        async with make_client(traced_app) as client:
            headers = {"Authorization": f"Bearer {user.token}"}
            await client.get(f"/api/v1/users/{user.id}", headers=headers)
        traced_app.state.database = away
        span = only(exporter)
        assert span.name == "GET /api/v1/users/{user_id}"
        assert (span.attributes or {})["http.route"] == "/api/v1/users/{user_id}"
        assert user.token not in span.to_json()

    async def test_is_named_by_the_method_where_there_is_no_route(
        self, traced_app: FastAPI, exporter: InMemorySpanExporter
    ) -> None:
        async with make_client(traced_app) as client:
            await client.get("/nowhere/otter")
        assert only(exporter).name == "GET"

    async def test_belongs_to_the_trace_of_the_caller(
        self, traced_app: FastAPI, exporter: InMemorySpanExporter
    ) -> None:
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        async with make_client(traced_app) as client:
            await client.get("/docs", headers={"traceparent": f"00-{trace}-{parent}-01"})
        span = only(exporter)
        assert span.context
        assert span.parent
        assert format_trace_id(span.context.trace_id) == trace
        assert format_span_id(span.parent.span_id) == parent

    @pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
    async def test_is_not_made_for_probes(
        self, traced_app: FastAPI, exporter: InMemorySpanExporter, path: str
    ) -> None:
        async with make_client(traced_app) as client:
            await client.get(path)
        assert exporter.get_finished_spans() == ()

    async def test_is_made_for_paths_that_look_like_probes(
        self, traced_app: FastAPI, exporter: InMemorySpanExporter
    ) -> None:
        async with make_client(traced_app) as client:
            for path in ("/api/health", "/health/", "/healthy", "/nowhere?path=/health"):
                await client.get(path)
        assert len(exporter.get_finished_spans()) == 4


class TestOurs:
    @every_answer
    async def test_says_what_the_packages_says(self, settings: Settings, request_: Request) -> None:
        said = []
        for exports in (True, False):
            app, exporter = make_offline_app(settings), InMemorySpanExporter()
            provider = app.state.signals.tracer_provider
            provider.exports = exports
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            async with make_client(app) as client:
                await request_.send(client, **{"X-Request-ID": "the-request"})
            span = only(exporter)
            said.append((span.name, span.kind, span.status.status_code, span.attributes, span.events))
        packages, ours = said
        assert ours == packages


class TestPrivacy:
    async def test_nothing_of_the_callers_own_words_is_there(
        self, traced_app: FastAPI, exporter: InMemorySpanExporter
    ) -> None:
        async with make_client(traced_app) as client:
            await client.get(
                "/api/v1/users/otter?q=otter",
                headers={"User-Agent": "otter/1.0", "Host": "otter.example", "X-Otter": "otter"},
            )
            await client.request("OTTER", "/otter")
        for span in exporter.get_finished_spans():
            assert "otter" not in span.to_json().lower()
        paths = [(span.attributes or {})["url.path"] for span in exporter.get_finished_spans()]
        assert paths == ["/api/v1/users/*", "__unmatched__"]

    async def test_a_bug_has_its_type_and_not_its_words(
        self, traced_app: FastAPI, exporter: InMemorySpanExporter
    ) -> None:
        async with make_client(traced_app) as client:
            await client.get("/bug")
        span = only(exporter)
        assert (span.attributes or {})["error.type"] == "RuntimeError"
        assert "a bug" not in span.to_json()
