"""Statements and connections, as spans and metrics tell them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from glasswork.core.db import Database, open_database
from glasswork.core.errors import ServiceUnavailableError
from glasswork.core.telemetry.context import begin_request
from glasswork.core.telemetry.database import summarise
from glasswork.core.telemetry.signals import Signals
from tests.conftest import make_settings
from tests.databases import SERVING, Server

pytestmark = pytest.mark.anyio


@dataclass
class Observed:
    database: Database
    signals: Signals
    exporter: InMemorySpanExporter

    @property
    def spans(self) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.kind is SpanKind.CLIENT]

    def value(self, name: str, **labels: str) -> float:
        return self.signals.metrics.registry.get_sample_value(name, labels) or 0


@pytest.fixture
async def observed(server: Server) -> AsyncIterator[Observed]:
    signals, exporter = Signals("api"), InMemorySpanExporter()
    signals.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with server.clone() as name:
        settings = make_settings(server.url(SERVING, name), database_pool_size=2)
        async with open_database(settings, {}, signals) as database:
            yield Observed(database, signals, exporter)


class TestSpans:
    async def test_a_failing_statement_has_its_state_and_no_value(self, observed: Observed) -> None:
        async with observed.database.reading() as session:
            with (
                observed.signals.tracer.start_as_current_span("request"),
                pytest.raises(DBAPIError, match="otters"),
            ):
                await session.execute(text("SELECT * FROM otters WHERE name = :name"), {"name": "secret"})
        (span,) = observed.spans
        attributes = span.attributes or {}
        assert span.name == "SELECT otters"
        assert span.status.status_code is StatusCode.ERROR
        assert (attributes["error.type"], attributes["db.response.status_code"]) == (
            "UndefinedTableError",
            "42P01",
        )
        assert "secret" not in span.to_json()
        assert (
            observed.value(
                "db_client_operation_duration_seconds_count", db_operation_name="SELECT", outcome="error"
            )
            == 1
        )

    async def test_none_is_made_outside_of_a_trace(self, observed: Observed) -> None:
        async with observed.database.transaction() as session:
            await session.execute(text("SELECT 1"))
        assert observed.spans == []
        assert (
            observed.value(
                "db_client_operation_duration_seconds_count", db_operation_name="SELECT", outcome="ok"
            )
            == 1
        )

    async def test_a_transaction_is_its_statements_and_the_commit(self, observed: Observed) -> None:
        with observed.signals.tracer.start_as_current_span("request") as request:
            async with observed.database.transaction() as session:
                await session.execute(
                    text("SELECT count(*) FROM users WHERE email = :email"), {"email": "a@b.c"}
                )
                await session.execute(text("DELETE FROM users WHERE email = :email"), {"email": "a@b.c"})
        assert [span.name for span in observed.spans] == ["SELECT users", "DELETE users", "COMMIT"]
        assert {span.parent and span.parent.span_id for span in observed.spans} == {
            request.get_span_context().span_id
        }
        told = {
            "db.system.name": "postgresql",
            "db.namespace": observed.database.engine.url.database,
            "db.operation.name": "SELECT",
            "db.query.summary": "SELECT users",
            "db.query.text": "SELECT count(*) FROM users WHERE email = $1",
        }
        assert told.items() <= dict(observed.spans[0].attributes or {}).items()

    async def test_a_read_is_one_statement_and_nothing_else(self, observed: Observed) -> None:
        with observed.signals.tracer.start_as_current_span("request"):
            async with observed.database.reading() as session:
                await session.execute(text("SELECT 1"))
        assert [span.name for span in observed.spans] == ["SELECT"]


class TestRequest:
    async def test_knows_what_it_cost(self, observed: Observed) -> None:
        request = begin_request("the request")
        async with observed.database.transaction() as session:
            await session.execute(text("SELECT pg_sleep(0.05)"))
            await session.execute(text("SELECT 1"))
        assert request.db_queries == 2
        assert request.db_seconds >= 0.05
        assert request.db_wait_seconds > 0


class TestPool:
    async def test_tells_who_waits_and_who_waited_in_vain(
        self, observed: Observed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool = observed.database.engine.pool
        monkeypatch.setattr(pool, "_timeout", 0.2)
        begin_request("the request")

        async def wait() -> None:
            async with observed.database.reading() as session:
                await session.execute(text("SELECT 1"))

        async with observed.database.reading() as first, observed.database.reading() as second:
            for session in (first, second):
                await session.execute(text("SELECT 1"))
            assert observed.value("db_client_connections", db_client_connection_state="used") == 2
            waiting = asyncio.create_task(wait())
            while not observed.value("db_client_connection_pending_requests"):
                await asyncio.sleep(0)
            with pytest.raises(ServiceUnavailableError):
                await waiting
        assert observed.value("db_client_connection_timeouts_total") == 1
        assert observed.value("db_client_connection_pending_requests") == 0
        assert observed.value("db_client_connections", db_client_connection_state="used") == 0
        assert observed.value("db_client_connections", db_client_connection_state="idle") == 2
        assert observed.value("db_client_connection_max") == 2
        assert observed.value("db_client_connection_wait_time_seconds_sum") >= 0.2
        assert observed.value("db_client_connection_use_time_seconds_count") == 2

    async def test_is_empty_when_it_is_closed(self, observed: Observed) -> None:
        async with observed.database.reading() as session:
            await session.execute(text("SELECT 1"))
        await observed.database.engine.dispose()
        for state in ("used", "idle"):
            assert observed.value("db_client_connections", db_client_connection_state=state) == 0

    async def test_counts_right_when_the_server_has_closed_a_connection(
        self, observed: Observed, server: Server
    ) -> None:
        async with observed.database.reading() as session:
            pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        connection = await observed.database.engine.raw_connection()
        driver = connection.driver_connection
        connection.close()
        await server.execute(f"SELECT pg_terminate_backend({pid})")
        assert driver is not None
        while not driver.is_closed():
            await asyncio.sleep(0.01)
        async with observed.database.reading() as session:
            await session.execute(text("SELECT 1"))
        assert observed.value("db_client_connections", db_client_connection_state="used") == 0
        assert observed.value("db_client_connections", db_client_connection_state="idle") == 1


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("", ("_OTHER", "_OTHER")),
        ("VACUUM users", ("_OTHER", "VACUUM")),
        ("SELECT 1", ("SELECT", "SELECT")),
        ("select a from users join tasks on true", ("SELECT", "SELECT users tasks")),
        ("SELECT a FROM users FOR UPDATE OF users", ("SELECT", "SELECT users")),
        ("INSERT INTO a (b) VALUES (1) ON CONFLICT (b) DO UPDATE SET b = 2", ("INSERT", "INSERT a")),
        ("INSERT INTO a SELECT b FROM jsonb_to_recordset($1) AS b (c int)", ("INSERT", "INSERT a")),
        ("WITH x AS (SELECT 1) SELECT * FROM jobs.pgqueuer", ("SELECT", "SELECT jobs.pgqueuer")),
        ("WITH x AS (INSERT INTO a VALUES (1) RETURNING 1) INSERT INTO b SELECT 1", ("INSERT", "INSERT a b")),
        (
            "WITH x AS MATERIALIZED (SELECT 1), y AS (SELECT 2) SELECT * FROM x, y JOIN a",
            ("SELECT", "SELECT a"),
        ),
        ("\n  UPDATE tasks SET a = 1", ("UPDATE", "UPDATE tasks")),
    ],
)
def test_a_statement_in_short(statement: str, expected: tuple[str, str]) -> None:
    assert summarise(statement) == expected
