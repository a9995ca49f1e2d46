"""Attempts of jobs, as spans, metrics and log lines tell them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from glasswork.core.db import Database, open_database
from glasswork.core.jobs import Job, Nothing, Work
from glasswork.core.runner import Recurring, Runner
from glasswork.core.telemetry.context import begin_request
from glasswork.core.telemetry.signals import Signals
from tests.conftest import make_settings
from tests.core.runners import SECONDS, Note, execute, order, until_done
from tests.databases import SERVING, Server

from .conftest import Log

pytestmark = pytest.mark.anyio


class Observed:
    def __init__(self, database: Database, signals: Signals, exporter: InMemorySpanExporter) -> None:
        self.database = database
        self.signals = signals
        self._exporter = exporter

    def spans(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.kind is kind]

    def value(self, name: str, **labels: str) -> float | None:
        return self.signals.metrics.registry.get_sample_value(name, labels)

    @asynccontextmanager
    async def working(self, job: Job[Note], finish_seconds: float = SECONDS) -> AsyncIterator[None]:
        runner = Runner(self.database, [job], [], None, finish_seconds, 3, self.signals)
        running = asyncio.create_task(runner.run())
        try:
            async with asyncio.timeout(SECONDS):
                yield
        finally:
            runner.stop.set()
            await running


@pytest.fixture
async def observed(server: Server) -> AsyncIterator[Observed]:
    signals, exporter = Signals("worker"), InMemorySpanExporter()
    signals.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with server.used_clone() as name:
        settings = make_settings(server.url(SERVING, name))
        async with open_database(settings, {}, signals) as database:
            yield Observed(database, signals, exporter)


def lines(log: Log) -> Iterator[dict[str, object]]:
    for line in map(json.loads, log.text.splitlines()):
        if line["event"] == "job.attempt":
            yield line


def failing(times: int) -> Job[Note]:
    errors = [ConnectionError("a secret")] * times

    async def run(_: Work, __: Note) -> None:
        if errors:
            raise errors.pop()

    return Job("test.run", Note, run, first_delay=0.01, max_attempts=3)


async def test_each_attempt_is_told_as_what_became_of_it(observed: Observed, log: Log) -> None:
    job = failing(1)
    begin_request("the-request")
    job_id = await order(observed.database, job)
    async with observed.working(job):
        await until_done(observed.database, job_id)
    told = list(lines(log))
    assert [(line["outcome"], line["attempt"], line["level"]) for line in told] == [
        ("retry", 1, "warning"),
        ("ok", 2, "info"),
    ]
    assert {(line["request_id"], line["job"], line["job_id"]) for line in told} == {
        ("the-request", "test.run", job_id)
    }
    assert "a secret" not in log.text
    for outcome in ("ok", "retry"):
        assert observed.value("glasswork_jobs_total", job="test.run", outcome=outcome) == 1
    assert observed.value("glasswork_job_duration_seconds_count", job="test.run") == 2
    assert observed.value("glasswork_job_wait_seconds_count", job="test.run") == 2
    bad, good = observed.spans(SpanKind.CONSUMER)
    assert bad.status.status_code is StatusCode.ERROR
    assert (bad.attributes or {})["error.type"] == "ConnectionError"
    assert "a secret" not in bad.to_json()
    assert good.status.status_code is StatusCode.UNSET
    assert (good.attributes or {})["glasswork.request_id"] == "the-request"


async def test_a_dead_job_is_an_error(observed: Observed, log: Log) -> None:
    job = failing(3)
    await order(observed.database, job)
    async with observed.working(job):
        while not observed.value("glasswork_jobs_total", job="test.run", outcome="dead"):
            await asyncio.sleep(0.01)
    assert [line["level"] for line in lines(log)] == ["warning", "warning", "error"]


async def test_a_job_that_is_given_back_is_no_failure(observed: Observed) -> None:
    begun = asyncio.Event()

    async def run(_: Work, __: Note) -> None:
        begun.set()
        await asyncio.Event().wait()

    job = Job("test.run", Note, run)
    await order(observed.database, job)
    async with observed.working(job, finish_seconds=0):
        await begun.wait()
    # A look into the queue that was under way takes it once more, and gives it back at once.
    spans = observed.spans(SpanKind.CONSUMER)
    assert {span.status.status_code for span in spans} == {StatusCode.UNSET}
    assert observed.value("glasswork_jobs_total", job="test.run", outcome="returned") == len(spans)


async def test_a_job_belongs_to_the_trace_that_ordered_it(observed: Observed) -> None:
    job = failing(0)
    with observed.signals.tracer.start_as_current_span("request") as request:
        job_id = await order(observed.database, job)
    async with observed.working(job):
        await until_done(observed.database, job_id)
    (sent,), (done,) = observed.spans(SpanKind.PRODUCER), observed.spans(SpanKind.CONSUMER)
    assert (sent.name, done.name) == ("send test.run", "process test.run")
    assert sent.parent == request.get_span_context()
    assert done.parent
    assert sent.context
    assert (done.parent.trace_id, done.parent.span_id) == (sent.context.trace_id, sent.context.span_id)


async def test_a_job_that_is_done_much_later_links_to_that_trace(observed: Observed) -> None:
    job = failing(0)
    with observed.signals.tracer.start_as_current_span("request") as request:
        job_id = await order(observed.database, job)
    await execute(observed.database, "UPDATE jobs.pgqueuer SET created = created - interval '16 minutes'")
    async with observed.working(job):
        await until_done(observed.database, job_id)
    (done,) = observed.spans(SpanKind.CONSUMER)
    assert done.parent is None
    assert [link.context.trace_id for link in done.links] == [request.get_span_context().trace_id]


async def test_what_waits_is_told_in_numbers(observed: Observed) -> None:
    job = failing(0)
    for _ in range(3):
        await order(observed.database, job)
    await execute(
        observed.database,
        "UPDATE jobs.pgqueuer SET status = 'failed' WHERE id = (SELECT max(id) FROM jobs.pgqueuer)",
    )
    await execute(observed.database, "UPDATE jobs.pgqueuer SET execute_after = now() - interval '1 hour'")
    async with observed.working(Job("test.other", Note, job.run)):
        while not observed.value("glasswork_worker_heartbeat_timestamp_seconds"):
            await asyncio.sleep(0.01)
    assert {
        state: observed.value("glasswork_job_queue_depth", state=state)
        for state in ("waiting", "running", "retrying", "dead")
    } == {"waiting": 2, "running": 0, "retrying": 0, "dead": 1}
    assert 3600 <= (observed.value("glasswork_job_queue_oldest_age_seconds") or 0) < 3700


async def test_what_the_clock_orders_next_is_told(observed: Observed) -> None:
    # The second one is of a version before this, with another schedule.
    await execute(
        observed.database,
        "INSERT INTO jobs.pgqueuer_schedules (expression, entrypoint, next_run) VALUES"
        " ('0 0 1 1 *', 'test.run', to_timestamp(4102444800)), ('0 0 1 6 *', 'test.run', to_timestamp(1))",
    )
    job = Job("test.run", Nothing, lambda _, __: asyncio.sleep(0))
    runner = Runner(observed.database, [job], [Recurring("0 0 1 1 *", job)], None, 0, 3, observed.signals)
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(SECONDS):
        while not observed.value("glasswork_schedule_next_run_timestamp_seconds", job="test.run"):
            await asyncio.sleep(0.01)
    runner.stop.set()
    await running
    assert observed.value("glasswork_schedule_next_run_timestamp_seconds", job="test.run") == 4102444800
