"""Attempts to deliver, as metrics, log lines, spans and the operations page tell them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from glasswork.core.db import Database
from glasswork.core.instance import Instance
from glasswork.core.telemetry.signals import Signals
from glasswork.features.delivering.access import delivery_state
from glasswork.features.delivering.service import Courier
from tests.core.telemetry.conftest import Log
from tests.databases import Server
from tests.factories.callers import Caller
from tests.factories.tracker import make_task, make_workspace
from tests.factories.webhooks import deliver, hasten, make_webhook, open_courier
from tests.receivers import Behave, Received, Receiver, hang, refuse, take

pytestmark = pytest.mark.anyio

Execute = Callable[[str], Awaitable[None]]

REQUEST_ID = "the-request-1"
SECONDS = 20


@dataclass
class Observed:
    """A courier, and what it tells."""

    courier: Courier
    signals: Signals
    exporter: InMemorySpanExporter

    def value(self, name: str, **labels: str) -> float:
        return self.signals.metrics.registry.get_sample_value(f"glasswork_webhook_{name}", labels) or 0

    def answers(self) -> dict[str, float]:
        name = "first_answer_seconds_count"
        return {held_up: self.value(name, held_up=held_up) for held_up in ("false", "true")}

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
async def observed(committing_app: FastAPI) -> AsyncIterator[Observed]:
    signals, exporter = Signals("worker", records=True), InMemorySpanExporter()
    signals.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with open_courier(committing_app, signals) as courier:
        yield Observed(courier, signals, exporter)


@pytest.fixture
async def execute(server: Server, database: Database) -> Execute:
    """As the database's owner: who serves may not change what has happened."""
    return partial(server.execute, database=database.engine.url.database)


async def change(owner: Caller, project: dict[str, Any]) -> Response:
    answer = await owner.post(f"/projects/{project['id']}/tasks", {"title": "Otter"}, X_Request_ID=REQUEST_ID)
    assert answer.status_code == 201
    return answer


def line_of(log: Log) -> dict[str, Any]:
    line = log.line("glasswork.deliveries")
    assert line["event"] == "webhook.attempt"
    return line


class TestAttempt:
    @pytest.mark.parametrize(
        ("behave", "outcome", "level", "told"),
        [
            (take, "delivered", "info", {"answer_status": 200}),
            (refuse(), "retry", "warning", {"answer_status": 500, "failure": "status"}),
            (refuse("410 Gone"), "dead", "warning", {"answer_status": 410, "failure": "status"}),
            (hang, "retry", "warning", {"failure": "time"}),
        ],
        ids=["delivered", "refused", "gone", "hangs"],
    )
    async def test_is_told_as_what_became_of_it(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        observed: Observed,
        log: Log,
        behave: Behave,
        outcome: str,
        level: str,
        told: dict[str, Any],
    ) -> None:
        receiver.behave = behave
        await change(owner, project)
        await deliver(observed.courier)
        outcomes = ("delivered", "retry", "dead", "unknown")
        assert {each: observed.value("attempts_total", outcome=each) for each in outcomes} == {
            each: float(each == outcome) for each in outcomes
        }
        expected = {
            "level": level,
            "request_id": REQUEST_ID,
            "delivery_id": receiver.ids[0],
            "webhook_id": webhook["id"],
            "workspace_id": webhook["workspace_id"],
            "type": "task.created",
            "attempt": 1,
            "outcome": outcome,
        } | told
        line = line_of(log)
        assert {name: line.get(name) for name in expected} == expected
        assert line.keys() & {"answer_status", "failure"} == told.keys()
        assert "omitted" not in line
        assert line["db_queries"] > 0
        (span,) = observed.spans("deliver webhook")
        assert (span.attributes or {}).get("error.type") == told.get("failure")
        is_error = span.status.status_code is StatusCode.ERROR
        assert is_error == ("failure" in told)

    @pytest.mark.usefixtures("webhook")
    async def test_that_is_cut_off_is_unknown(
        self, owner: Caller, project: dict[str, Any], receiver: Receiver, observed: Observed, log: Log
    ) -> None:
        begun = asyncio.Event()

        async def linger(received: Received, writer: asyncio.StreamWriter) -> None:
            begun.set()
            await hang(received, writer)

        receiver.behave = linger
        await change(owner, project)
        async with asyncio.timeout(SECONDS), observed.courier.running(asyncio.Event(), 0):
            await begun.wait()
        assert observed.value("attempts_total", outcome="unknown") == 1
        assert observed.answers() == {"false": 0, "true": 0}
        assert line_of(log)["outcome"] == "unknown"

    async def test_tells_no_secret(
        self, owner: Caller, project: dict[str, Any], webhook: dict[str, Any], observed: Observed, log: Log
    ) -> None:
        await change(owner, project)
        await deliver(observed.courier)
        told = log.text + "".join(span.to_json() for span in observed.exporter.get_finished_spans())
        assert "webhook.attempt" in told
        assert webhook["secret"].startswith("whsec_")
        for secret in ("whsec_", webhook["secret"].removeprefix("whsec_"), "v1,", "/hook", "Otter"):
            assert secret not in told


class TestTrace:
    @pytest.mark.usefixtures("webhook")
    async def test_is_that_of_the_request(
        self, owner: Caller, project: dict[str, Any], receiver: Receiver, observed: Observed, log: Log
    ) -> None:
        trace_id = (await change(owner, project)).headers["traceresponse"].split("-")[1]
        await deliver(observed.courier)
        (delivered,), (called,) = observed.spans("deliver webhook"), observed.spans("POST")
        assert (delivered.kind, called.kind) == (SpanKind.CONSUMER, SpanKind.CLIENT)
        for span in (delivered, called):
            assert span.context
            assert format_trace_id(span.context.trace_id) == trace_id
        assert called.parent == delivered.context
        attributes = delivered.attributes or {}
        assert (attributes["glasswork.request_id"], attributes["glasswork.attempt"]) == (REQUEST_ID, 1)
        assert line_of(log)["trace_id"] == trace_id
        headers = receiver.received[0].headers
        assert headers["x-request-id"] == REQUEST_ID
        assert "traceparent" not in headers

    @pytest.mark.usefixtures("webhook")
    async def test_is_linked_to_when_it_was_long_ago(
        self, owner: Caller, project: dict[str, Any], observed: Observed, execute: Execute
    ) -> None:
        trace_id = (await change(owner, project)).headers["traceresponse"].split("-")[1]
        await execute("UPDATE workspace_events SET at = at - interval '16 minutes'")
        await deliver(observed.courier)
        (delivered,) = observed.spans("deliver webhook")
        assert delivered.parent is None
        assert [format_trace_id(link.context.trace_id) for link in delivered.links] == [trace_id]
        assert delivered.context
        assert format_trace_id(delivered.context.trace_id) != trace_id


class TestPage:
    @pytest.mark.usefixtures("webhook")
    async def test_has_each_attempt_by_the_id_of_the_request(
        self,
        owner: Caller,
        project: dict[str, Any],
        receiver: Receiver,
        observed: Observed,
        database: Database,
        committing_app: FastAPI,
    ) -> None:
        assert observed.signals.recorder
        page = Instance(observed.signals, observed.signals.recorder, committing_app.state.health)
        receiver.behave = refuse()
        await change(owner, project)
        await deliver(observed.courier)
        receiver.behave = take
        await hasten(database)
        await deliver(observed.courier)
        first, second = sorted(
            page.answer("request", {"request_id": REQUEST_ID}), key=lambda entry: entry["at"]
        )
        names = ("kind", "title", "status", "outcome")
        assert [first[name] for name in names] == ["delivery", "deliver task.created", 500, "retry"]
        assert [second[name] for name in names] == ["delivery", "deliver task.created", 200, "delivered"]
        assert [entry["fields"]["attempt"] for entry in (first, second)] == [1, 2]
        assert first["cause"]["text"] == "The receiver answered 500"
        assert second["cause"] is None
        (delivered, _), (called, _) = observed.spans("deliver webhook"), observed.spans("POST")
        assert delivered.context
        assert called.context
        ids = {span["id"] for span in first["spans"]}
        assert ids >= {format_span_id(delivered.context.span_id), format_span_id(called.context.span_id)}
        for status, found in (("retry", [first]), ("5xx", [first]), ("delivered", [second]), ("dead", [])):
            asked = {"order": "recent", "request_id": REQUEST_ID, "status": status}
            assert [each["at"] for each in page.answer("requests", asked)] == [each["at"] for each in found]
        json.dumps([first, second])


class TestFirstAnswer:
    @pytest.mark.usefixtures("webhook")
    async def test_is_counted_once(
        self,
        owner: Caller,
        project: dict[str, Any],
        receiver: Receiver,
        observed: Observed,
        database: Database,
    ) -> None:
        receiver.behave = refuse()
        await make_task(owner, project)
        for _ in range(2):
            await deliver(observed.courier)
            await hasten(database)
        receiver.behave = take
        await deliver(observed.courier)
        assert len(receiver.received) == 3
        assert observed.answers() == {"false": 1, "true": 0}

    async def test_is_not_that_of_what_was_asked_for_again(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        observed: Observed,
    ) -> None:
        tasks = [await make_task(owner, project) for _ in range(2)]
        await deliver(observed.courier)
        await owner.post(f"/deliveries/{receiver.ids[0]}/redelivery")
        await deliver(observed.courier)
        again = {"since": tasks[0]["created_at"], "delivered_too": True}
        await owner.post(f"/webhooks/{webhook['id']}/redeliveries", again)
        await deliver(observed.courier)
        assert len(receiver.received) == 5
        assert sum(observed.answers().values()) == 2

    @pytest.mark.usefixtures("webhook")
    async def test_tells_how_long_that_took(
        self, owner: Caller, project: dict[str, Any], observed: Observed, execute: Execute
    ) -> None:
        await make_task(owner, project)
        await execute("UPDATE workspace_events SET at = at - interval '1000 seconds'")
        await make_task(owner, project)
        await deliver(observed.courier)
        assert observed.answers() == {"false": 2, "true": 0}
        bucket = "first_answer_seconds_bucket"
        assert observed.value(bucket, held_up="false", le="900.0") == 1
        assert observed.value(bucket, held_up="false", le="1800.0") == 2

    @pytest.mark.usefixtures("webhook")
    async def test_is_held_up_by_a_receiver_that_fails(
        self, owner: Caller, project: dict[str, Any], receiver: Receiver, observed: Observed
    ) -> None:
        receiver.behave = refuse()
        for _ in range(2):
            await make_task(owner, project)
            await deliver(observed.courier)
        assert observed.answers() == {"false": 1, "true": 1}

    async def test_is_held_up_by_what_a_receiver_takes_in_order(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        receiver: Receiver,
        observed: Observed,
    ) -> None:
        await make_webhook(owner, workspace, receiver.url, events=["task.created"], is_ordered=True)
        for _ in range(3):
            await make_task(owner, project)
        await deliver(observed.courier)
        await make_task(owner, project)
        await deliver(observed.courier)
        assert observed.answers() == {"false": 2, "true": 2}


async def oldest(database: Database) -> float:
    async with database.reading() as session:
        return (await delivery_state(session))["oldest_seconds"]


HOUR = pytest.approx(3600, abs=60)


@pytest.mark.usefixtures("webhook")
class TestWhatWaits:
    async def test_is_told_in_numbers(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        receiver: Receiver,
        observed: Observed,
        database: Database,
        execute: Execute,
    ) -> None:
        receiver.behave = refuse()
        await make_webhook(owner, workspace, receiver.url, events=["task.created"], is_ordered=True)
        for _ in range(3):
            await make_task(owner, project)
        await deliver(observed.courier)
        await observed.courier.tell()
        states = ("waiting", "retrying")
        assert [observed.value("deliveries", state=state) for state in states] == [2, 4]
        assert observed.value("oldest_age_seconds") == 0
        await execute("UPDATE webhook_progress SET next_at = now() - interval '1 hour', leased_until = NULL")
        await observed.courier.tell()
        assert observed.value("oldest_age_seconds") == HOUR
        receiver.behave = take
        await hasten(database)
        await deliver(observed.courier)
        await observed.courier.tell()
        assert [observed.value("deliveries", state=state) for state in states] == [0, 0]
        assert observed.value("oldest_age_seconds") == 0

    async def test_is_also_what_nobody_has_looked_at(
        self, owner: Caller, project: dict[str, Any], courier: Courier, database: Database, execute: Execute
    ) -> None:
        await make_task(owner, project)
        assert await oldest(database) < 60
        await execute("UPDATE workspace_events SET at = at - interval '1 hour'")
        assert await oldest(database) == HOUR
        await deliver(courier)
        assert await oldest(database) == 0

    async def test_is_not_what_is_looked_at_once_more(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        courier: Courier,
        database: Database,
        execute: Execute,
    ) -> None:
        await make_task(owner, project)
        await deliver(courier)
        await execute("UPDATE workspace_events SET at = at - interval '1 hour'")
        await execute("UPDATE webhook_progress SET leased_until = now() - interval '1 hour'")
        again = {"since": "2020-01-01T00:00:00Z"}
        assert (await owner.post(f"/webhooks/{webhook['id']}/redeliveries", again)).json()["first_seq"]
        assert await oldest(database) < 60

    async def test_is_what_somebody_had_who_died(
        self, owner: Caller, project: dict[str, Any], database: Database, execute: Execute
    ) -> None:
        await make_task(owner, project)
        lease = (
            "UPDATE webhook_progress SET lease_id = gen_random_uuid(), leased_until = now() + interval '{}'"
        )
        await execute(lease.format("10 seconds"))
        assert await oldest(database) == 0
        await execute(lease.format("-1 hour"))
        assert await oldest(database) == HOUR

    async def test_is_not_what_its_receiver_lets_wait(
        self,
        owner: Caller,
        project: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        database: Database,
        execute: Execute,
    ) -> None:
        """It was just somebody's turn."""
        receiver.behave = refuse()
        for _ in range(3):
            await make_task(owner, project)
        await deliver(courier)
        await execute("UPDATE deliveries SET next_attempt_at = now() - interval '1 hour'")
        await execute("UPDATE webhook_progress SET next_at = now() - interval '1 hour'")
        assert await oldest(database) < 60

    async def test_is_nothing_of_what_is_off(
        self,
        owner: Caller,
        project: dict[str, Any],
        webhook: dict[str, Any],
        database: Database,
        execute: Execute,
    ) -> None:
        await make_task(owner, project)
        await execute("UPDATE workspace_events SET at = now() - interval '1 hour'")
        assert await oldest(database) == HOUR
        await owner.patch(f"/webhooks/{webhook['id']}", {"is_enabled": False})
        assert await oldest(database) < 60

    @pytest.mark.parametrize("end", ["webhook", "workspace"])
    async def test_is_nothing_of_what_is_gone(
        self,
        owner: Caller,
        workspace: dict[str, Any],
        project: dict[str, Any],
        webhook: dict[str, Any],
        receiver: Receiver,
        courier: Courier,
        database: Database,
        end: str,
        execute: Execute,
    ) -> None:
        for place in (workspace, await make_workspace(owner)):
            await make_webhook(owner, place, receiver.url, events=["comment.created"])
        receiver.behave = refuse()
        await make_task(owner, project)
        await deliver(courier)
        await execute(
            "UPDATE webhook_progress SET next_at = now() - interval '1 hour', leased_until = NULL"
            f" WHERE webhook_id = '{webhook['id']}'"
        )
        gone = {"webhook": webhook, "workspace": workspace}[end]
        assert (await owner.delete(f"/{end}s/{gone['id']}")).status_code == 204
        async with database.reading() as session:
            state = await delivery_state(session)
        assert (state["waiting"], state["retrying"]) == (0, 0)
        assert state["oldest_seconds"] < 60
