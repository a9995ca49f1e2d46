"""The databases of a test run: a migrated template, and clones of it."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.engine import URL

from glasswork.core import migrations
from glasswork.core.embedded import EmbeddedPostgres

OWNER, SERVING, UNHELD = "glasswork_test_owner", "glasswork_test", "glasswork_test_unheld"
ROLES = {OWNER: "", SERVING: "", UNHELD: f"BYPASSRLS IN ROLE {SERVING}"}
"""The last one serves too, but no policy holds it."""
PASSWORD = "only-for-tests"


EMPTY = """
    SET session_replication_role = replica;
    SET lock_timeout = '5s';
    DO $$
    DECLARE name text; filled boolean;
    BEGIN
        FOR name IN
            SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
            WHERE schemaname IN ('public', 'jobs') AND tablename <> 'alembic_version'
        LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO filled;
            IF filled THEN EXECUTE format('DELETE FROM %s', name); END IF;
        END LOOP;
    END $$
"""

_EXISTS = "SELECT 1 FROM pg_database WHERE datname = $1"


@dataclass(frozen=True)
class Server:
    superuser: URL
    run: str
    """Begins the names of this run's databases."""
    spare: list[str] = field(default_factory=list, compare=False)
    """Clones that are empty again."""

    @property
    def template(self) -> str:
        return f"{self.run}_template"

    def url(self, role: str, database: str) -> str:
        url = self.superuser.set(username=role, password=PASSWORD, database=database)
        return url.render_as_string(hide_password=False)

    async def execute(self, statement: str, role: str | None = None, database: str | None = None) -> None:
        """Run it as a role, by default as superuser."""
        connection = await self.connect(database, role)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def fetch(self, query: str, *values: object, database: str) -> object:
        """Return a single value."""
        connection = await self.connect(database)
        try:
            return await connection.fetchval(query, *values)
        finally:
            await connection.close()

    async def make_template(self) -> None:
        """Once a run: roles, and a database that the owning role has migrated."""
        connection = await self.connect()
        try:
            if await connection.fetchval(_EXISTS, self.template):
                return
            for role, attributes in ROLES.items():
                if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                    await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' {attributes}")
            await connection.execute(f"CREATE DATABASE {self.template}_draft OWNER {OWNER}")
            draft = f"{self.template}_draft"
            await migrations.upgrade(self.url(OWNER, draft), self.url(SERVING, draft))
            await connection.execute(f"ALTER DATABASE {draft} RENAME TO {self.template}")
        finally:
            await connection.close()

    async def make_once(self, name: str, make: Callable[[str], Awaitable[None]]) -> str:
        """Return another template: a clone that the first of this run's processes has filled."""
        made = f"{self.run}_{name}"
        with _one_at_a_time(Path(os.environ["GLASSWORK_TEST_HOME"]), name):
            if not await self.fetch(_EXISTS, made, database="postgres"):
                draft = await self.make_clone()
                await make(draft)
                await self.execute(f"ALTER DATABASE {draft} RENAME TO {made}")
        return made

    @asynccontextmanager
    async def clone(self, template: str | None = None) -> AsyncIterator[str]:
        """A migrated database of one's own; yields its name."""
        name = await self.make_clone(template)
        try:
            yield name
        finally:
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @asynccontextmanager
    async def used_clone(self) -> AsyncIterator[str]:
        """One that others had before, for who changes no schema: ten times as fast."""
        name = self.spare.pop() if self.spare else await self.make_clone()
        yield name
        await self.empty(name)
        self.spare.append(name)

    async def make_clone(self, template: str | None = None) -> str:
        """For who drops it."""
        name = f"{self.run}_{uuid4().hex[:12]}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template or self.template} OWNER {OWNER}")
        return name

    async def empty(self, database: str) -> None:
        """Delete what was written into a clone."""
        await self.execute(EMPTY, database=database)

    async def drop_all(self) -> None:
        connection = await self.connect()
        rows = await connection.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", self.run
        )
        for row in rows:
            await connection.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')
        await connection.close()

    async def connect(self, database: str | None = None, role: str | None = None) -> asyncpg.Connection:
        url = make_url(self.url(role, database or "postgres")) if role else self.superuser
        url = url.set(drivername="postgresql", database=database or url.database)
        return await asyncpg.connect(url.render_as_string(hide_password=False))


@contextmanager
def _one_at_a_time(home: Path, name: str) -> Iterator[None]:
    """Of the processes of a run."""
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def open_server(home: Path) -> Iterator[Server]:
    with ExitStack() as stack:
        server = Server(_superuser_url(home, stack), run=home.name.replace("-", "_").lower())
        with _one_at_a_time(home, "template"):
            asyncio.run(server.make_template())
        yield server


def _superuser_url(home: Path, stack: ExitStack) -> URL:
    if url := os.environ.get("TEST_DATABASE_URL"):
        return make_url(url)
    if os.environ.get("TEST_DATABASE") == "docker" or (
        os.environ.get("TEST_DATABASE") != "embedded" and _docker_answers()
    ):
        # It takes more than a second to import, and most machines do without.
        from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415

        image = os.environ.get("TEST_DATABASE_IMAGE", "postgres:18-alpine")
        container = PostgresContainer(image, driver="asyncpg")
        return make_url(stack.enter_context(container).get_connection_url())
    server = EmbeddedPostgres(home / "embedded", durable=False)
    return make_url(stack.enter_context(server).url("postgres", "postgres"))


def _docker_answers() -> bool:
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False
    import docker  # noqa: PLC0415 (takes a second, and comes with testcontainers)
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        with contextlib.closing(docker.from_env(timeout=2)) as client:
            return bool(client.ping())
    except DockerException:
        return False
