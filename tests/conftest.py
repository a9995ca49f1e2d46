"""A real PostgreSQL for every test.

The server is that of TEST_DATABASE_URL (a superuser's), else a container where Docker answers, else the
embedded one; TEST_DATABASE=docker or =embedded insists, and TEST_DATABASE_IMAGE names the container's
image, and so the version. A test's changes are rolled back; a test that needs
commits of its own, for races or other processes, clones a database.
"""

import asyncio
import gc
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.util import await_only

from glasswork.app import create_app
from glasswork.core import db
from glasswork.core.connection_settings import LOCK_SECONDS, SERVER_SETTINGS, STATEMENT_SECONDS
from glasswork.core.db import Database
from glasswork.core.row_security import NOBODY, TellingConnection
from glasswork.core.settings import Settings
from glasswork.core.storage import open_storage
from glasswork.core.telemetry.sink import LogHandler
from glasswork.worker import SUBSCRIBERS
from tests.data_dirs import used_data_dir
from tests.databases import SERVING, Server, open_server
from tests.declared import ensure_declared
from tests.factories.callers import Callers
from tests.faults.grid.cells import SEEN_BY, Cells

UPLOAD_LIMIT = 2 * 2**20
SECRET = "a secret that is known to everybody who reads the tests"
SETTINGS = (
    *("DATABASE_URL", "DATABASE_POOLER_URL", "MIGRATION_DATABASE_URL", "JWT_SECRET", "ENVIRONMENT"),
    *("DATA_DIR", "LOG_FORMAT", "METRICS_HOST", "METRICS_PORT", "DRAIN_SECONDS"),
)


OWN_HOME = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    _ignore_no_signal()
    if "GLASSWORK_TEST_HOME" in os.environ:  # of whoever has started this as one of many
        return
    # Not below pytest's own folder: as root the embedded server runs as a user who may not enter it.
    home = Path(tempfile.mkdtemp(prefix="glasswork_test_"))
    home.chmod(0o755)
    config.stash[OWN_HOME] = home
    os.environ["GLASSWORK_TEST_HOME"] = str(home)
    for name in SETTINGS:
        os.environ.pop(name, None)


def _ignore_no_signal() -> None:
    """Behind `nohup` or `&` signals are ignored, by our programs too, which inherit that; but no handlers."""
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_unconfigure(config: pytest.Config) -> None:
    home = config.stash.get(OWN_HOME, None)
    if home is None:
        return
    if url := os.environ.get("TEST_DATABASE_URL"):
        asyncio.run(Server(make_url(url), home.name).drop_all())
    shutil.rmtree(home, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep with the results which fault a test is of, for docs/faults.md."""
    for item in items:
        for mark in item.iter_markers("fault"):
            if mark.args[1:]:
                item.user_properties.append((SEEN_BY, ",".join(mark.args)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let no collection of garbage look through the hundreds of megabytes that stay to the end."""
    del session
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _log_is_written() -> Iterator[None]:
    """Lines are written by a thread; those of a test belong to its report, and not to the next one's."""
    yield
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogHandler):
            handler.drain(5)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with open_server(Path(os.environ["GLASSWORK_TEST_HOME"])) as server:
        yield server


@pytest.fixture(scope="session")
def settings(server: Server) -> Settings:
    """Those of the shared app; its database is set by each test."""
    return make_settings(server.url(SERVING, server.template))


def make_settings(database_url: str, **changes: object) -> Settings:
    defaults = {
        "rate_limit_enabled": False,
        "log_level": "error",
        "trusted_hosts": ("localhost", "127.0.0.1"),
        "attachment_max_bytes": UPLOAD_LIMIT,
        "data_dir": _data_dir(),
    }
    values = {"database_url": SecretStr(database_url), "jwt_secret": SecretStr(SECRET), **defaults, **changes}
    return Settings.model_validate(values)


def _data_dir() -> Path:
    """One for each worker; while tests are collected there is no home yet, and nothing is written."""
    home = os.environ.get("GLASSWORK_TEST_HOME", tempfile.gettempdir())
    return Path(home, os.environ.get("PYTEST_XDIST_WORKER", "alone"))


@pytest.fixture(scope="session")
def app(settings: Settings) -> FastAPI:
    """Without its lifespan; its streams end where they begin, since the client reads an answer to its end."""
    app = create_app(settings)
    app.state.storage = open_storage(None, settings.data_dir)
    app.state.hub.end()
    return app


@pytest.fixture(scope="session")
async def engine(server: Server) -> AsyncIterator[AsyncEngine]:
    """To a database of this worker, in which one of everything is somebody else's, and no test commits."""
    async with open_engine(server, SERVING, await _let_somebody_in(server)) as engine:
        yield engine


@pytest.fixture(scope="session")
async def empty_engine(server: Server) -> AsyncIterator[AsyncEngine]:
    async with open_engine(server, SERVING) as engine:
        yield engine


RENAME = "UPDATE workspaces SET slug = 'theirs-' || slug"
"""Each of a run's processes counts from one."""


async def _let_somebody_in(server: Server) -> str:
    """What forgets whose rows it asks for finds theirs too; returns the template that has them."""
    # It takes half of all factories along, which some workers never need.
    from tests.contract.things import make_things  # noqa: PLC0415

    async def make(name: str) -> None:
        app = create_app(make_settings(server.url(SERVING, name)))
        async with app.router.lifespan_context(app), make_client(app) as client:
            callers = Callers(client, app.state.database, app.state.keys, "their")
            await make_things(callers, await callers.user(), "theirs")
        await server.execute(RENAME, database=name)

    return await server.make_once("theirs", make)


@asynccontextmanager
async def open_engine(server: Server, role: str, template: str | None = None) -> AsyncIterator[AsyncEngine]:
    async with server.clone(template) as name:
        engine = create_async_engine(
            server.url(role, name), pool_size=1, connect_args={"connection_class": TellingConnection}
        )
        _send_savepoints_alone(engine)
        yield engine
        await engine.dispose()


FORGET = "".join(f"SET LOCAL glasswork.{name} = '';" for name in ("scope", "user_id", "api_token_id"))


class RolledBackDatabase(Database):
    """The app commits and rolls back as ever, but all inside one transaction that is rolled back."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection.engine, SUBSCRIBERS)
        self.connection = connection
        self._writes = self._reads = self._snapshots = async_sessionmaker(
            connection,
            expire_on_commit=False,
            autoflush=False,
            info=self._info,
            join_transaction_mode="create_savepoint",
        )


def _send(connection: Connection, statement: str) -> None:
    driver: Any = connection.connection.driver_connection
    await_only(driver.execute(statement))


def _begin_savepoint(connection: Connection, name: str) -> None:
    if connection.in_nested_transaction():
        _send(connection, f"SAVEPOINT {name}")
    else:
        connection.info["begin"] = f"SAVEPOINT {name};"


@event.listens_for(Session, "after_begin")
def _tell(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    """Send the settings that come with BEGIN elsewhere: here a savepoint stands in for it."""
    if isinstance(session.bind, Connection) and not transaction.nested:
        driver: Any = connection.connection.driver_connection
        settings, driver.next_settings = driver.next_settings, NOBODY
        _send(connection, f"{connection.info.pop('begin', '')} {FORGET} {settings}")


def _send_savepoints_alone(engine: AsyncEngine) -> None:
    """Let no statement of its own be prepared for each of their names, and the outermost wait for `_tell`."""
    dialect: Any = engine.sync_engine.dialect
    dialect.do_savepoint = _begin_savepoint
    dialect.do_release_savepoint = lambda connection, name: _send(connection, f"RELEASE {name}")
    dialect.do_rollback_to_savepoint = lambda connection, name: _send(connection, f"ROLLBACK TO {name}")


@asynccontextmanager
async def undone(connection: AsyncConnection) -> AsyncIterator[None]:
    """Nothing is left of what is done in one of these transactions meanwhile."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.execute("SAVEPOINT before")
    try:
        yield
    finally:
        await driver.execute("ROLLBACK TO before; RELEASE before")


@asynccontextmanager
async def rolled_back(engine: AsyncEngine) -> AsyncIterator[RolledBackDatabase]:
    async with engine.connect() as connection:
        transaction = await connection.begin()
        await connection.execute(text("SELECT"))  # only now BEGIN is sent
        yield RolledBackDatabase(connection)
        await transaction.rollback()


@pytest.fixture
async def database(
    request: pytest.FixtureRequest, engine: AsyncEngine, empty_engine: AsyncEngine
) -> AsyncIterator[RolledBackDatabase]:
    """Somebody else's things are in it, unless the test is marked `alone`."""
    is_alone = request.node.get_closest_marker("alone") is not None
    async with rolled_back(empty_engine if is_alone else engine) as database:
        yield database


@pytest.fixture
async def client(app: FastAPI, database: Database) -> AsyncIterator[AsyncClient]:
    """Nobody in particular; `callers` makes people."""
    app.state.database = database
    async with make_client(app) as client:
        yield client


@pytest.fixture
def change_settings(app: FastAPI) -> Iterator[Callable[..., None]]:
    """Gives the shared app other settings, until the test ends."""
    settings = app.state.settings

    def change(**changes: object) -> None:
        app.state.settings = settings.model_copy(update=changes)

    yield change
    app.state.settings = settings


@pytest.fixture
def callers(client: AsyncClient, database: Database, app: FastAPI) -> Callers:
    return Callers(client, database, app.state.keys)


@asynccontextmanager
async def open_app(server: Server) -> AsyncIterator[FastAPI]:
    async with server.clone() as name:
        app = create_app(make_settings(server.url(SERVING, name)))
        async with app.router.lifespan_context(app):
            yield app


@contextmanager
def patient() -> Iterator[None]:
    """Wait five times as long for the database: many at once on a machine that does other things too."""
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("POOL_WAIT_SECONDS", "CONNECT_SECONDS", "ANSWER_SECONDS"):
            patch.setattr(db, limit, 5 * getattr(db, limit))
        patch.setitem(SERVER_SETTINGS, "statement_timeout", f"{5 * STATEMENT_SECONDS}s")
        patch.setitem(SERVER_SETTINGS, "lock_timeout", f"{5 * LOCK_SECONDS}s")
        yield


@pytest.fixture(scope="session")
async def shared_committing_app(server: Server) -> AsyncIterator[FastAPI]:
    async with AsyncExitStack() as stack:
        with patient():
            app = await stack.enter_async_context(open_app(server))
        yield app


@pytest.fixture
async def committing_app(shared_committing_app: FastAPI, server: Server) -> AsyncIterator[FastAPI]:
    """An app whose commits are commits; what a test leaves in its database is deleted.

    A test that changes the app, reads its metrics, changes the schema or waits for a limit takes `own_app`.
    """
    with patient():
        yield shared_committing_app
    await server.empty(shared_committing_app.state.database.engine.url.database)


@pytest.fixture
async def own_app(server: Server) -> AsyncIterator[FastAPI]:
    """An app of the test's own, on a database of its own."""
    async with open_app(server) as app:
        yield app


@pytest.fixture
async def url(server: Server) -> AsyncIterator[str]:
    """Of a database of the test's own, for the role that serves."""
    async with server.clone() as name:
        yield server.url(SERVING, name)


@pytest.fixture
async def committing_callers(committing_app: FastAPI) -> AsyncIterator[Callers]:
    async with make_client(committing_app) as client:
        yield Callers(client, committing_app.state.database, committing_app.state.keys)


def make_client(app: FastAPI, address: str = "127.0.0.1") -> AsyncClient:
    transport = ASGITransport(app=app, raise_app_exceptions=False, client=(address, 50_000))
    hooks = {"response": [ensure_declared(app)]}
    return AsyncClient(transport=transport, base_url="http://localhost", event_hooks=hooks)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with used_data_dir() as folder:
        yield folder


@pytest.fixture
def cells(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Cells:
    """Where a test tells what it has seen of its fault."""
    return Cells(request.node.get_closest_marker("fault").args[0], record_property)
