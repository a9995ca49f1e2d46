"""Through a PgBouncer that lends three servers, one transaction at a time, to as many as ask."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar
from uuid import UUID

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Select, bindparam, func, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from uuid_utils.compat import uuid7
from wire import Wire, wire

from glasswork.app import create_app
from glasswork.core import db
from glasswork.core.actor import Actor, Scope, TokenUse
from glasswork.core.connection_settings import SERVER_SETTINGS
from glasswork.core.db import Database, open_database
from glasswork.core.errors import ServiceUnavailableError, TransientError
from glasswork.core.jobs import DoneJob, Job, Work
from glasswork.core.settings import Settings
from glasswork.core.statements import Read, Write
from tests.conftest import make_client, make_settings, patient
from tests.databases import SERVING, Server
from tests.factories.callers import Caller, Callers
from tests.factories.tracker import make_project, make_task, make_workspace
from tests.pgbouncer import PgBouncer, needs_pgbouncer
from tests.streams import following, serving

from .runners import Note, order, until_done, working

pytestmark = [pytest.mark.anyio, needs_pgbouncer]

T = TypeVar("T")

POOL_SIZE = 3
SCOPE = ("scope", "user_id", "api_token_id")
ASKED = [
    *(func.current_setting(name).label(name) for name in SERVER_SETTINGS),
    *(func.coalesce(func.current_setting(f"glasswork.{name}", True), "").label(name) for name in SCOPE),
    func.pg_backend_pid().label("pid"),
]
LIMITS = ("glasswork", "UTC", "3s", "2500ms", "10s", "1s")
FREE = ("", "", "")
LOOK = select(*ASKED)
SLEEP = select(func.pg_sleep(bindparam("seconds")).label("slept"))
COUNT = select(func.count().label("count")).select_from(DoneJob)


@pytest.fixture(scope="module")
def pooler(server: Server) -> Iterator[PgBouncer]:
    with PgBouncer(server.url(SERVING, server.template), POOL_SIZE) as pooler:
        yield pooler


@pytest.fixture
async def name(server: Server) -> AsyncIterator[str]:
    async with server.clone() as name:
        yield name


@pytest.fixture
def settings(server: Server, name: str, pooler: PgBouncer) -> Settings:
    url = server.url(SERVING, name)
    return make_settings(url, database_pooler_url=SecretStr(pooler.url(url)))


@pytest.fixture
def _patience() -> Iterator[None]:
    """For many at once, on a machine that does other things too."""
    with patient():
        yield


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    async with open_database(settings, {}) as database:
        yield database


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def callers(app: FastAPI) -> AsyncIterator[Callers]:
    async with make_client(app) as client:
        yield Callers(client, app.state.database, app.state.keys)


async def look(database: Database, actor: Actor | None = None) -> list[tuple[Any, ...]]:
    """What holds in each kind of transaction, the last being the server's process."""
    async with database.transaction(actor) as session:
        found = [tuple((await session.execute(LOOK)).one())]
        found.append(tuple((await Write(LOOK).records(session, {}))[0]))
    async with database.transaction(actor) as session:
        found.append(tuple((await Write(LOOK).records(session, {}))[0]))
    async with database.reading() as session:
        found.append(tuple((await session.execute(LOOK)).one()))
        found.append(tuple((await Read(LOOK).records(session, {}))[0]))
    return found


class TestLimits:
    async def test_are_in_force_in_every_transaction(self, database: Database) -> None:
        assert {row[:-1] for row in await look(database)} == {LIMITS + FREE}

    async def test_of_a_snapshot_are_patient(self, database: Database) -> None:
        async with database.snapshot() as session:
            row = (await session.execute(LOOK)).one()
        assert row.idle_in_transaction_session_timeout == f"{db.PATIENT_SECONDS // 60}min"
        assert row.statement_timeout == "3s"

    async def test_do_not_stay_on_the_server(self, database: Database) -> None:
        """Whoever shares the pooler does not get ours."""
        pids = {row[-1] for row in await look(database)}
        async with database.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            row = await driver.fetchrow("SELECT pg_backend_pid(), current_setting('lock_timeout')")
        assert row[0] in pids
        assert row[1] == "0"

    @pytest.mark.parametrize("kind", ["session", "write", "read"])
    async def test_end_a_statement_that_takes_too_long(
        self, database: Database, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(SERVER_SETTINGS, "statement_timeout", "100ms")
        with pytest.raises(ServiceUnavailableError, match="took too long"):
            await ask(database, kind, SLEEP, seconds=60)
        await ask(database, kind, SLEEP, seconds=0)

    @pytest.mark.parametrize("kind", ["session", "write", "read"])
    async def test_end_the_wait_for_a_lock(
        self, database: Database, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(SERVER_SETTINGS, "lock_timeout", "100ms")
        async with database.transaction() as holder:
            await holder.execute(text("LOCK TABLE done_jobs"))
            with pytest.raises(TransientError) as refused:
                await ask(database, kind, COUNT)
        assert refused.value.reason == "lock"
        await ask(database, kind, COUNT)


async def ask(database: Database, kind: str, statement: Select[Any], **binds: Any) -> None:
    if kind == "read":
        async with database.reading() as session:
            await Read(statement).all(session, binds)
        return
    async with database.transaction() as session:
        if kind == "write":
            await Write(statement).all(session, binds)
        else:
            await session.execute(statement, binds)


async def test_what_was_read_stays_readable(database: Database) -> None:
    async with database.transaction() as session:
        session.add(DoneJob(job_id=7))
    async with database.reading() as session:
        (done,) = (await session.scalars(select(DoneJob))).all()
        assert await session.get(DoneJob, 7) is done
    assert (done.job_id, done.done_at is None) == (7, False)


async def test_a_read_that_is_refused_leaves_the_next_one_alone(database: Database) -> None:
    async with database.reading() as session:
        with pytest.raises(ProgrammingError):
            await session.execute(text("SELECT no_such_function()"))
        assert (await session.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_read_writes_nothing(database: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with database.reading() as session:
            await session.execute(text("INSERT INTO done_jobs (job_id) VALUES (1)"))


@pytest.mark.usefixtures("_patience")
class TestSettingsOfATransaction:
    async def test_never_reach_the_next_one(self, database: Database) -> None:
        """Of users, of tokens and of nobody, all mixed up on three servers."""
        users = [Actor(uuid7(), uuid7()) for _ in range(5)]
        tokens = [Actor(uuid7(), uuid7(), TokenUse("", Scope.TASKS_WRITE)) for _ in range(5)]

        async def ensure_own(actor: Actor | None) -> set[int]:
            user = "" if actor is None else actor.user_id.hex
            token = "" if actor is None or actor.token is None else actor.session_id.hex
            in_writes = [("", user, token)] * 3
            rows = await look(database, actor)
            assert [row[len(LIMITS) : -1] for row in rows] == [*in_writes, FREE, FREE]
            return {row[-1] for row in rows}

        async def ensure_system() -> set[int]:
            async with database.system_transaction() as session:
                row = tuple((await session.execute(LOOK)).one())
            assert row[len(LIMITS) : -1] == ("system", "", "")
            return {row[-1]}

        rounds = [each for _ in range(10) for each in (*users, None, *tokens)]
        work = [ensure_own(actor) for actor in rounds] + [ensure_system() for _ in range(50)]
        pids = [found for part in batched(work) for found in await asyncio.gather(*part)]
        assert len(set().union(*pids)) == POOL_SIZE
        assert any(len(each) > 1 for each in pids)  # they really are lent to one after the other

    async def test_keep_strangers_out(self, callers: Callers) -> None:
        owners = [await callers.user() for _ in range(6)]
        projects = [await make_project(owner, await make_workspace(owner)) for owner in owners]
        rename = text("UPDATE projects SET name = name WHERE id = :id RETURNING id")

        async def found(owner: Caller) -> list[str]:
            async with callers.database.transaction(owner.actor) as session:
                rows = [await session.execute(rename, {"id": UUID(each["id"])}) for each in projects]
            return [str(row.id) for each in rows for row in each]

        answers = await asyncio.gather(*(found(owner) for _ in range(5) for owner in owners))
        assert answers == [[each["id"]] for _ in range(5) for each in projects]


def batched(work: list[T], size: int = 40) -> list[list[T]]:
    return [work[start : start + size] for start in range(0, len(work), size)]


class TestRoundTrips:
    async def test_of_a_read_are_three_and_of_a_write_no_more_than_ever(
        self, server: Server, name: str, pooler: PgBouncer
    ) -> None:
        direct = server.url(SERVING, name)
        trips = []
        for url in (direct, pooler.url(direct)):
            async with wire(url) as way:
                own = {} if url == direct else {"database_pooler_url": SecretStr(way.url)}
                settings = make_settings(way.url if url == direct else direct, **own)
                async with open_database(settings, {}) as database:
                    trips.append([await counted(way, database, kind) for kind in ("read", "write")])
        assert trips == [[1, 3], [3, 3]]


async def counted(way: Wire, database: Database, kind: str) -> int:
    await ask(database, kind, LOOK)
    before = way.trips
    await ask(database, kind, LOOK)
    return way.trips - before


@pytest.mark.usefixtures("_patience")
class TestClients:
    @pytest.mark.slow
    async def test_thirty_at_once_are_served(self, callers: Callers, server: Server, name: str) -> None:
        async def journey() -> list[int]:
            me = await callers.user()
            project = await make_project(me, await make_workspace(me))
            tasks = [await make_task(me, project) for _ in range(3)]
            path = f"/tasks/{tasks[0]['id']}"
            answers = [
                await me.get(f"/projects/{project['id']}/tasks", total="true"),
                await me.get(f"/workspaces/{project['workspace_id']}/tasks", q="Task"),
                await me.patch(path, {"title": "Other"}, if_match='"1"'),
                await me.patch(path, {"title": "Late"}, if_match='"1"'),
                await me.put(f"{path}/completion"),
                await me.post(f"{path}/comments", {"body": "Done"}, idempotency_key="a-key-of-mine"),
                await me.post(f"{path}/comments", {"body": "Done"}, idempotency_key="a-key-of-mine"),
                await me.get(f"/workspaces/{project['workspace_id']}/changes"),
                await me.delete(path),
                await me.get(path),
            ]
            return [answer.status_code for answer in answers]

        codes = await asyncio.gather(*(journey() for _ in range(30)))
        assert codes == [[200, 200, 200, 412, 200, 201, 201, 200, 204, 404]] * 30
        open_ = "SELECT string_agg(application_name, ',' ORDER BY 1) FROM pg_stat_activity WHERE datname = $1"
        names = str(await server.fetch(open_, name, database="postgres")).split(",")
        assert names.count("glasswork") == POOL_SIZE
        rest = [each.split()[1] for each in names if each != "glasswork"]
        assert sorted(rest) == ["peer", "wakeups"]  # the health check, by the name of who shows the page


async def test_word_of_a_change_reaches_another_process(settings: Settings, app: FastAPI) -> None:
    """It alone: nobody looks."""
    async with make_client(app) as client:
        owner = await Callers(client, app.state.database, app.state.keys).user()
        workspace = await make_workspace(owner)
        other = create_app(settings)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(other.state.hub, "_look", nobody_looks)
            async with (
                other.router.lifespan_context(other),
                serving(other) as url,
                following(url, owner.token, workspace["id"]) as events,
            ):
                assert (await events.next()).type == "ready"
                for number in range(3):
                    await make_project(owner, workspace, key=f"K{number}")
                    assert (await events.next()).data["after"]["key"] == f"K{number}"


async def nobody_looks() -> None:
    """It would help."""


async def test_a_job_is_done_once_by_one_of_two_workers(database: Database) -> None:
    done: list[str] = []

    async def do(_: Work, note: Note) -> None:
        done.append(note.text)

    job = Job("write_down", Note, do)
    async with working(database, job), working(database, job):
        notes = [f"note {number}" for number in range(30)]
        numbers = [await order(database, job, Note(text=each)) for each in notes]
        for number in numbers:
            await until_done(database, number)
    assert sorted(done) == sorted(notes)
