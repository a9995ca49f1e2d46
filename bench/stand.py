"""The databases that are measured: embedded, durable PostgreSQL, with so many tasks in one workspace each.

Each size has a data directory of its own, which is kept and used again while its tasks are as many as ever.
What is written goes into a copy, which is dropped.
"""

import os
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import platformdirs
from cores import LOAD, on_core
from seed import seed
from sqlalchemy import make_url

from glasswork.core import migrations
from glasswork.core.actor import Actor
from glasswork.core.embedded import DATABASE, OWNER_ROLE, SERVING_ROLE, EmbeddedPostgres
from glasswork.core.passwords import hash_password

SEED = 14
SEEDED_AT = datetime(2026, 11, 1, tzinfo=UTC)
COPY = "bench_copy"
USERNAME, PASSWORD = "bench", "tremendous otter 77"
ACTOR = Actor(
    UUID("019a0000-0000-7000-8000-000000000001"),
    UUID("019a0000-0000-7000-8000-000000000002"),
)
SAMPLE = 2_000
"""Tasks that are asked for, at random."""
BEGIN_BEHIND = 100
"""The first tasks of a project are left out: behind them is no full page."""


@dataclass(frozen=True)
class Target:
    """A task that requests can be about."""

    task_id: UUID
    project_id: UUID
    created_at: datetime
    title: str


@dataclass(frozen=True)
class Place:
    """What there is in a database, for requests about it."""

    workspace_id: UUID
    projects: list[UUID]
    members: list[UUID]
    targets: list[Target]


@dataclass(frozen=True)
class Stand:
    home: Path
    size: int
    server: EmbeddedPostgres
    place: Place

    def url(self, database: str = DATABASE, role: str = SERVING_ROLE) -> str:
        return self.server.url(role, database)

    @property
    def postmaster(self) -> int:
        return int((self.home / "postgres/data/postmaster.pid").read_text().split()[0])

    @asynccontextmanager
    async def copied(self) -> AsyncIterator[str]:
        """Yield the URL of a copy to write into."""
        connection = await asyncpg.connect(plain(self.url("postgres", "postgres")))
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)")
            copying = f"CREATE DATABASE {COPY} TEMPLATE {DATABASE} OWNER {OWNER_ROLE} STRATEGY file_copy"
            await connection.execute(copying, timeout=600)
            yield self.url(COPY)
            await connection.execute(f"DROP DATABASE {COPY} WITH (FORCE)")
        finally:
            await connection.close()


def cache_folder() -> Path:
    """BENCH_HOME, or where caches are kept: as root where the server's own user gets, too."""
    if named := os.environ.get("BENCH_HOME"):
        return Path(named).resolve()
    caches = platformdirs.user_cache_path("glasswork") if os.geteuid() else Path("/var/cache/glasswork")
    return caches / "bench"


@asynccontextmanager
async def standing(size: int) -> AsyncIterator[Stand]:
    home = cache_folder() / str(size)
    with on_core(LOAD):
        if not await _is_whole(home, size):
            shutil.rmtree(home, ignore_errors=True)
            await _fill(home, size)
        server = EmbeddedPostgres(home)
        server.start()
    try:
        connection = await asyncpg.connect(plain(server.url(OWNER_ROLE, DATABASE)))
        await connection.execute("UPDATE user_sessions SET rotated_at = now()")  # they end after a week
        place = await look(connection, size)
        await connection.close()
        yield Stand(home, size, server, place)
    finally:
        server.stop()


async def _is_whole(home: Path, size: int) -> bool:
    if not (home / "seeded").exists():
        return False
    with EmbeddedPostgres(home) as server:
        await _migrate(server)
        await _admit(server)
        connection = await asyncpg.connect(plain(server.url(OWNER_ROLE, DATABASE)))
        try:
            count: int = await connection.fetchval("SELECT count(*) FROM tasks", timeout=60)
        finally:
            await connection.close()
    return count == size


async def _admit(server: EmbeddedPostgres) -> None:
    """Let it have the connections of four servers, from its next start on."""
    connection = await asyncpg.connect(plain(server.url("postgres", "postgres")))
    await connection.execute("ALTER SYSTEM SET max_connections = 300")
    await connection.close()


async def _fill(home: Path, size: int) -> None:
    print(f"Making {size:,} tasks in {home} ...")
    home.mkdir(parents=True)
    for folder in (home.parent, home):
        folder.chmod(0o755)
    with EmbeddedPostgres(home) as server:
        await _migrate(server)
        connection = await asyncpg.connect(plain(server.url(OWNER_ROLE, DATABASE)))
        await make_actor(connection)
        rng = random.Random(SEED)  # noqa: S311 (no secret)
        await seed(connection, ACTOR.user_id, size, now=SEEDED_AT, rng=rng)
        await connection.close()
        settle = await asyncpg.connect(plain(server.url("postgres", DATABASE)))
        await settle.execute("CHECKPOINT", timeout=600)
        await settle.close()
    (home / "seeded").touch()


async def _migrate(server: EmbeddedPostgres) -> None:
    await migrations.upgrade(server.url(OWNER_ROLE, DATABASE), server.url(SERVING_ROLE, DATABASE))


async def make_actor(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "INSERT INTO users (id, email, username, name, password_hash, role, is_active, version)"
        " VALUES ($1, $2 || '@example.com', $2, 'Bench', $3, 'user', true, 1)",
        ACTOR.user_id,
        USERNAME,
        hash_password(PASSWORD),
    )
    session = "INSERT INTO user_sessions (id, user_id, sequence) VALUES ($1, $2, 0)"
    await connection.execute(session, ACTOR.session_id, ACTOR.user_id)


async def look(connection: asyncpg.Connection, size: int) -> Place:
    rng = random.Random(SEED)  # noqa: S311 (no secret)
    projects = await connection.fetch("SELECT id, workspace_id FROM projects ORDER BY key")
    numbers = range(BEGIN_BEHIND, size // len(projects) + 1)
    chosen = rng.sample(numbers, min(SAMPLE // len(projects), len(numbers)))
    targets = await connection.fetch(
        "SELECT id, project_id, created_at, title FROM tasks WHERE number = ANY ($1) ORDER BY id", chosen
    )
    members = await connection.fetch("SELECT user_id FROM memberships ORDER BY user_id")
    return Place(
        workspace_id=projects[0]["workspace_id"],
        projects=[row["id"] for row in projects],
        members=[row["user_id"] for row in members],
        targets=[Target(*row) for row in targets],
    )


def plain(url: str) -> str:
    """As asyncpg takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
