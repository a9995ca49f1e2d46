import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry import trace
from pydantic import BaseModel
from sqlalchemy import event, select
from uuid_utils.compat import uuid7

from glasswork.core.db import Database
from glasswork.core.errors import ConflictError
from glasswork.core.events import Event
from glasswork.core.jobs import EventRef, Job, Order, Work, store_orders
from glasswork.core.outbox import Outbox
from glasswork.core.telemetry.context import begin_request
from tests.core.runners import HELLO, Note, execute, fetch, jobs_of, open_clone, order
from tests.databases import Server

pytestmark = pytest.mark.anyio


async def nothing(_: Work, __: BaseModel) -> None: ...


JOB = Job("test.nothing", Note, nothing)
FOLLOWER = Job("test.follower", EventRef, nothing)


class Happened(Event):
    type = "test.happened"


class Unheard(Event):
    type = "test.unheard"


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    async with open_clone(server, {Happened.type: [FOLLOWER]}) as database:
        yield database


class TestTransaction:
    async def test_rollback_leaves_no_job(self, database: Database) -> None:
        async def refuse() -> None:
            async with database.transaction() as session:
                Outbox(session).order(JOB, HELLO)
                raise ConflictError("no")

        with pytest.raises(ConflictError):
            await refuse()
        assert await jobs_of(database) == []

    async def test_a_job_may_be_ordered_for_later(self, database: Database) -> None:
        async with database.transaction() as session:
            Outbox(session).order(JOB, HELLO, delay=timedelta(hours=1))
            Outbox(session).order(JOB, HELLO)
        query = "SELECT execute_after - created AS delay FROM jobs.pgqueuer ORDER BY id"
        assert [job["delay"] for job in await fetch(database, query)] == [timedelta(hours=1), timedelta()]

    async def test_a_job_that_is_the_first_statement_is_rolled_back_too(self, database: Database) -> None:
        async with database.transaction() as session:
            await store_orders(session, [Order(JOB, HELLO)])
            await session.rollback()
        assert await jobs_of(database) == []

    async def test_savepoint_takes_its_own_job_back(self, database: Database) -> None:
        async with database.transaction() as session:
            outbox = Outbox(session)
            outbox.order(JOB, Note(text="kept"))
            savepoint = await session.begin_nested()
            outbox.order(JOB, Note(text="gone"))
            await savepoint.rollback()
        stored = await fetch(database, "SELECT payload FROM jobs.pgqueuer")
        assert [json.loads(row["payload"]) for row in stored] == [{"text": "kept"}]

    async def test_commit_stores_it(self, database: Database) -> None:
        job_id = await order(database, JOB)
        assert await jobs_of(database) == [
            {"id": job_id, "entrypoint": "test.nothing", "status": "queued", "attempts": 0}
        ]

    async def test_many_orders_are_one_statement(self, database: Database) -> None:
        statements: list[str] = []

        def count(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        async with database.transaction() as session:
            await session.execute(select(1))
            event.listen(database.engine.sync_engine, "before_cursor_execute", count)
            for number in range(5):
                Outbox(session).order(JOB, Note(text=str(number)))
        assert len(statements) == 1
        assert len(await jobs_of(database)) == 5


class TestSubscribers:
    async def test_an_event_orders_what_follows_it(self, database: Database) -> None:
        happened = Happened(workspace_id=None, subject_id=uuid7())
        async with database.transaction() as session:
            Outbox(session).record(None, happened)
        query = "SELECT payload, entrypoint FROM jobs.pgqueuer"
        (job,) = await fetch(database, query)
        (stored,) = await fetch(database, "SELECT id FROM installation_events")
        assert job["entrypoint"] == "test.follower"
        reference = EventRef.model_validate_json(job["payload"])
        assert reference == EventRef(id=stored["id"], workspace_id=None, subject_id=happened.subject_id)

    async def test_an_event_without_subscribers_orders_nothing(self, database: Database) -> None:
        async with database.transaction() as session:
            Outbox(session).record(None, Unheard(workspace_id=None, subject_id=uuid7()))
        assert await jobs_of(database) == []


class TestDedupeKey:
    async def test_of_several_with_one_key_one_is_stored(self, database: Database) -> None:
        async with database.transaction() as session:
            for key in ("same", "same", "other", None, None):
                Outbox(session).order(JOB, HELLO, key)
        await order(database, JOB, dedupe_key="same")
        assert len(await jobs_of(database)) == 4

    async def test_the_key_is_free_when_the_job_is_done(self, database: Database) -> None:
        done = await order(database, JOB, dedupe_key="same")
        await execute(database, "DELETE FROM jobs.pgqueuer")
        assert await order(database, JOB, dedupe_key="same") > done


async def test_headers_tell_which_request_ordered_it(database: Database) -> None:
    begin_request("the-one-to-find")
    span = trace.SpanContext(trace_id=7, span_id=8, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(span)):
        await order(database, JOB)
    (row,) = await fetch(database, "SELECT headers FROM jobs.pgqueuer")
    assert row["headers"] == {"request_id": "the-one-to-find", "traceparent": f"00-{7:032x}-{8:016x}-01"}
