"""What is the same on every machine: round trips, spans and plans of the journeys that are measured."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from journeys import JOURNEYS, READS, Journey
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from recording import send, statements, trips_of
from stand import ACTOR

from .conftest import TASKS, Bench

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.xdist_group("bench")]

TRIPS = {**{journey.name: 1 for journey in READS}, "create": 7, "patch": 7, "login": 5}
SPANS = 2
"""Of a read: the request's, and its statement's."""
TABLES = {"tasks", "workspace_events", "task_labels", "watchers", "comments"}
"""Too large to be read as a whole."""
MOST_ROWS = TASKS / 5
"""That may come out of an index."""


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.name)
async def test_round_trips(bench: Bench, journey: Journey) -> None:
    requests = journey.requests(bench.place, bench.recording.fingerprint)
    assert await trips_of(bench.asked, journey, requests) <= TRIPS[journey.name]


@pytest.mark.parametrize("journey", READS, ids=lambda journey: journey.name)
async def test_spans(bench: Bench, journey: Journey) -> None:
    exporter = InMemorySpanExporter()
    bench.asked.app.state.signals.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    request = journey.requests(bench.place, bench.recording.fingerprint)[0]
    await send(bench.app, journey, request)
    spans = exporter.get_finished_spans()
    exporter.shutdown()
    (root,) = [span for span in spans if span.kind is SpanKind.SERVER]
    names = [span.name for span in spans if trace_of(span) == trace_of(root)]
    assert len(names) == SPANS, names


@pytest.mark.parametrize("journey", READS, ids=lambda journey: journey.name)
async def test_large_tables_are_found_by_index(bench: Bench, journey: Journey) -> None:
    request = journey.requests(bench.place, bench.recording.fingerprint)[0]
    with statements() as sent:
        await send(bench.app, journey, request)
    ((sql, arguments),) = [each for each in sent if ACTOR.user_id in each[1]]
    await bench.owner.execute("SET enable_seqscan = off")  # what can be found by an index, is
    explained = await bench.owner.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *arguments)
    await bench.owner.execute("RESET enable_seqscan")
    nodes = list(walk(json.loads(explained)[0]["Plan"]))
    read = {(node["Node Type"], node["Index Name"]): rows_of(node) for node in nodes if "Index Name" in node}
    assert {scan: rows for scan, rows in read.items() if rows > MOST_ROWS} == {}
    assert not {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & TABLES


def rows_of(node: dict[str, Any]) -> float:
    rows: float = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return rows


def trace_of(span: ReadableSpan) -> int:
    assert span.context
    trace_id: int = span.context.trace_id
    return trace_id


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from walk(inner)
