import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from anyio.lowlevel import checkpoint
from sqlalchemy import Integer, bindparam, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from glasswork.core import db
from glasswork.core.db import Database, create_engine
from glasswork.core.errors import ServiceUnavailableError, TransientError
from glasswork.core.jobs import DoneJob
from glasswork.core.read_connections import ReadConnections, connecting
from glasswork.core.statements import READS, Read, Write
from glasswork.features.tasks.models import Priority, Task
from tests.databases import SERVING, Server

pytestmark = pytest.mark.anyio

ADD = Write(insert(DoneJob).values(job_id=bindparam("number")).returning(DoneJob.job_id))
COUNT = Read(select(func.count().label("count")).select_from(DoneJob))
VALUES = Read(
    select(
        literal("high", Task.priority.type).label("priority"),
        literal({"a": [1, None]}, Task.recurrence.type).label("recurrence"),
        bindparam("given", type_=Integer()).label("given"),
        func.pg_backend_pid().label("pid"),
    )
)
SLEEP = Read(select(func.pg_sleep(bindparam("seconds")).label("slept")))
END = Read(select(func.pg_terminate_backend(func.pg_backend_pid()).label("ended")))


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    async with server.clone() as name, with_reads(server.url(SERVING, name), size=2) as database:
        yield database


class with_reads:  # noqa: N801 (a context manager)
    def __init__(self, url: str, size: int, wait_seconds: float = 5) -> None:
        self._engine = create_engine(url, pool_size=2)
        options = db._connect_options()  # noqa: SLF001 (those of the app)
        self._reads = ReadConnections(connecting(url, **options), size, wait_seconds)

    async def __aenter__(self) -> Database:
        return Database(self._engine, reads=self._reads)

    async def __aexit__(self, *_: object) -> None:
        await self._reads.aclose()
        await self._engine.dispose()


async def read(database: Database, statement: Read, **binds: Any) -> Any:
    async with database.reading() as session:
        return await statement.find(session, binds)


class TestRead:
    async def test_needs_what_has_no_value(self, database: Database) -> None:
        with pytest.raises(KeyError, match="given"):
            await read(database, VALUES)

    async def test_has_the_same_rows_alone_and_in_a_transaction(self, database: Database) -> None:
        alone = await read(database, VALUES, given=7)
        async with database.transaction() as session:
            inside: Any = await VALUES.find(session, {"given": 7})
        for row in (alone, inside):
            assert row.priority is Priority.HIGH
            assert row.recurrence == {"a": [1, None]}
            assert row.given == 7

    async def test_sees_what_its_transaction_has_done_and_no_other_does(self, database: Database) -> None:
        async with database.transaction() as session:
            await ADD.all(session, {"number": 1})
            inside: Any = await COUNT.find(session, {})
            assert inside.count == 1
            assert (await read(database, COUNT)).count == 0
        assert (await read(database, COUNT)).count == 1

    async def test_takes_the_connection_that_was_used_last(self, database: Database) -> None:
        assert len({(await read(database, VALUES, given=1)).pid for _ in range(5)}) == 1


class TestWrite:
    async def test_as_the_first_statement_it_is_undone_with_its_transaction(self, database: Database) -> None:
        async def fail() -> None:
            async with database.transaction() as session:
                await ADD.all(session, {"number": 1})
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        assert (await read(database, COUNT)).count == 0

    async def test_goes_with_its_savepoint(self, database: Database) -> None:
        async def fail(session: AsyncSession) -> None:
            async with session.begin_nested():
                await ADD.all(session, {"number": 2})
                raise RuntimeError

        async with database.transaction() as session:
            await ADD.all(session, {"number": 1})
            with pytest.raises(RuntimeError):
                await fail(session)
            await ADD.all(session, {"number": 3})
        assert (await read(database, COUNT)).count == 2

    async def test_is_in_the_transaction_of_the_session_s_own_statements(self, database: Database) -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO done_jobs (job_id) VALUES (1)"))
            (row,) = await ADD.all(session, {"number": 2})
            counted = (await session.execute(text("SELECT count(*) FROM done_jobs"))).scalar_one()
        assert (row.job_id, counted) == (2, 2)

    async def test_follows_a_commit_in_the_next_transaction(self, database: Database) -> None:
        async with database.transaction() as session:
            await ADD.all(session, {"number": 1})
            await session.commit()
            await ADD.all(session, {"number": 2})
            await session.rollback()
        assert (await read(database, COUNT)).count == 1


class TestFaults:
    async def test_a_lost_connection_is_told_and_replaced(self, database: Database) -> None:
        with pytest.raises(TransientError):
            await read(database, END)
        assert (await read(database, VALUES, given=1)).given == 1

    async def test_those_that_the_server_has_ended_are_replaced(
        self, database: Database, server: Server
    ) -> None:
        first, second = await asyncio.gather(*(read(database, SLEEP, seconds=0.05) for _ in range(2)))
        assert (first, second) != (None, None)
        await server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{database.engine.url.database}' AND usename = '{SERVING}'"
        )
        for _ in range(3):  # whether the driver knows it already or not, one refusal is the most
            try:
                row = await read(database, VALUES, given=1)
            except TransientError:
                row = await read(database, VALUES, given=1)
            assert row.given == 1

    async def test_a_refusal_of_the_database_keeps_the_connection(self, database: Database) -> None:
        before = (await read(database, VALUES, given=1)).pid
        with pytest.raises(ServiceUnavailableError, match="took too long"):
            async with database.reading() as session:
                await Read(select(func.pg_sleep(10))).all(session, {})
        assert (await read(database, VALUES, given=1)).pid == before

    async def test_silence_ends_and_takes_the_connection_with_it(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(db, "ANSWER_SECONDS", 0.1)
        async with (
            server.clone() as name,
            with_reads(server.url(SERVING, name), size=1) as database,
        ):
            before = (await read(database, VALUES, given=1)).pid
            with pytest.raises(ServiceUnavailableError, match="does not answer"):
                await read(database, SLEEP, seconds=2)
            assert (await read(database, VALUES, given=1)).pid != before
            with pytest.raises(ServiceUnavailableError, match="does not answer"):
                async with database.transaction() as session:
                    await SLEEP.all(session, {"seconds": 2})
            async with database.transaction() as session:
                await ADD.all(session, {"number": 1})

    async def test_one_that_nobody_waits_for_any_more_is_not_used_again(self, database: Database) -> None:
        before = (await read(database, VALUES, given=1)).pid
        asking = asyncio.create_task(read(database, SLEEP, seconds=2))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, 0.1)
        assert (await read(database, VALUES, given=1)).pid != before

    async def test_who_waits_too_long_for_one_is_refused(self, server: Server) -> None:
        async with (
            server.clone() as name,
            with_reads(server.url(SERVING, name), size=1, wait_seconds=0.01) as database,
        ):
            async with database.reading() as session:
                reads: ReadConnections = session.info[READS]
            asking = asyncio.create_task(read(database, SLEEP, seconds=0.5))
            while not reads.are_taken:
                await checkpoint()
            with pytest.raises(ServiceUnavailableError):
                await read(database, VALUES, given=1)
            await asking
            assert (await read(database, VALUES, given=1)).given == 1

    async def test_a_database_that_is_away_is_told(self) -> None:
        nowhere = "postgresql+asyncpg://ada:otter@127.0.0.1:1/glasswork"
        async with with_reads(nowhere, size=1) as database:
            for _ in range(2):  # the place of the first is free again
                with pytest.raises(ServiceUnavailableError):
                    await read(database, VALUES, given=1)

    async def test_a_mistake_of_ours_stays_one(self, database: Database) -> None:
        with pytest.raises(asyncpg.UndefinedFunctionError):
            await read(database, Read(select(func.no_such_function())))
        assert (await read(database, VALUES, given=1)).given == 1


async def test_of_many_at_once_no_more_than_allowed_are_open(database: Database) -> None:
    rows = await asyncio.gather(*(read(database, VALUES, given=n) for n in range(50)))
    assert [row.given for row in rows] == list(range(50))
    assert len({row.pid for row in rows}) == 2


async def test_who_stops_waiting_leaves_the_turn_to_the_next(server: Server) -> None:
    async with server.clone() as name, with_reads(server.url(SERVING, name), size=1) as database:
        async with database.reading() as session:
            reads: ReadConnections = session.info[READS]
        asking = asyncio.create_task(read(database, SLEEP, seconds=0.1))
        while not reads.are_taken:
            await checkpoint()
        first, second = (asyncio.create_task(read(database, VALUES, given=n)) for n in (1, 2))
        await checkpoint()
        first.cancel()
        await asking
        assert (await second).given == 2
        assert first.cancelled()
        third = asyncio.create_task(read(database, SLEEP, seconds=0.1))
        while not reads.are_taken:
            await checkpoint()
        late = asyncio.create_task(read(database, VALUES, given=3))
        await third
        late.cancel()  # it may have been given the turn already
        assert (await read(database, VALUES, given=4)).given == 4
