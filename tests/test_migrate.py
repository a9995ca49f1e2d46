"""`glasswork migrate` beside others: those who are served, and those who migrate too."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import indent

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from glasswork.core import migrations, revisions
from glasswork.core.errors import EXIT_CONFIGURATION, EXIT_UNAVAILABLE, StartError
from tests.databases import OWNER, SERVING, Server
from tests.test_migrations import run

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_tasks_due_soon')"
END_IT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'glasswork migrate' AND datname = current_database()
"""
SLOW = """
    CREATE FUNCTION dawdle() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); END';
    CREATE EVENT TRIGGER slow ON ddl_command_start WHEN tag IN ('ALTER TABLE') EXECUTE FUNCTION dawdle();
"""

MANY_TASKS = """
    SET session_replication_role = replica;
    INSERT INTO tasks (workspace_id, id, project_id, number, title, description, status_id, priority,
        position, created_by, version)
    SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), n, '', '', gen_random_uuid(), 'none', n,
        gen_random_uuid(), 1
    FROM generate_series(1, 2500) AS n;
    ALTER TABLE tasks ADD COLUMN rank int, ADD CONSTRAINT ck_tasks_rank CHECK (rank IS NOT NULL) NOT VALID;
"""
RECIPE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture
async def clone(server: Server) -> AsyncIterator[str]:
    async with server.clone() as name:
        yield name


@pytest.fixture
async def behind(server: Server, clone: str) -> str:
    """A database whose last revision is missing: one that builds an index beside others."""
    await run(server.url(OWNER, clone), "downgrade", "0026")
    return clone


@asynccontextmanager
async def in_transaction(
    server: Server, database: str, *statements: str
) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else's, as superuser, which is rolled back at the end."""
    url = server.superuser.set(drivername="postgresql", database=database)
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    transaction = connection.transaction(isolation="repeatable_read")
    await transaction.start()
    for statement in statements:
        await connection.execute(statement)
    try:
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


def upgrade(server: Server, database: str) -> asyncio.Task[str | None]:
    return asyncio.create_task(migrations.upgrade(server.url(OWNER, database), server.url(SERVING, database)))


async def until(server: Server, database: str, query: str, *values: object, expected: object) -> None:
    async with asyncio.timeout(20):
        while await server.fetch(query, *values, database=database) != expected:
            await asyncio.sleep(0.05)


async def test_what_waits_for_a_lock_too_long_is_given_up_and_what_was_done_stays(
    server: Server, clone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "PATIENCE_SECONDS", 1)
    await run(server.url(OWNER, clone), "downgrade", "0024")
    async with in_transaction(server, clone, "SELECT FROM comments"):
        with pytest.raises(StartError, match=r"others hold its locks.*ALTER TABLE comments") as refused:
            await upgrade(server, clone)
    assert refused.value.exit_code == EXIT_UNAVAILABLE
    assert "Revision 0026 was not applied" in str(refused.value)
    assert await server.fetch(revisions.CURRENT, database=clone) == "0025"
    assert await upgrade(server, clone) == revisions.head()


async def test_a_lock_that_comes_free_in_time_is_taken(server: Server, behind: str) -> None:
    async with in_transaction(server, behind, "LOCK event_counters IN SHARE UPDATE EXCLUSIVE MODE"):
        migrating = upgrade(server, behind)
        # It has been refused, and asks for nothing while it pauses.
        await until(server, behind, IS_VALID, expected=True)
        await until(server, behind, "SELECT count(*) FROM pg_locks WHERE NOT granted", expected=1)
        await until(server, behind, "SELECT count(*) FROM pg_locks WHERE NOT granted", expected=0)
        assert not migrating.done()
    assert await migrating == revisions.head()


async def test_a_statement_that_takes_long_with_its_locks_is_ended(server: Server, behind: str) -> None:
    await server.execute(SLOW, database=behind)
    with pytest.raises(StartError, match="took too long: ALTER TABLE tasks") as refused:
        await upgrade(server, behind)
    assert refused.value.exit_code == EXIT_CONFIGURATION
    await server.execute("DROP EVENT TRIGGER slow", database=behind)
    assert await upgrade(server, behind) == revisions.head()


async def test_an_index_that_was_broken_off_is_built_anew(server: Server, behind: str) -> None:
    async with in_transaction(server, behind, "SELECT pg_current_xact_id()"):
        migrating = upgrade(server, behind)
        await until(server, behind, IS_VALID, expected=False)
        await server.execute(END_IT, database=behind)
        with pytest.raises(StartError, match="Run again: glasswork migrate"):
            await migrating
    assert await server.fetch(IS_VALID, database=behind) is False
    assert await upgrade(server, behind) == revisions.head()
    assert await server.fetch(IS_VALID, database=behind) is True


async def test_who_waits_for_their_turn_holds_up_no_index(
    server: Server, behind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with in_transaction(server, behind, "SELECT pg_current_xact_id()"):
        first = upgrade(server, behind)
        await until(server, behind, IS_VALID, expected=False)
        second = upgrade(server, behind)
        async with asyncio.timeout(20):
            while "Another process migrates" not in capsys.readouterr().err:
                await asyncio.sleep(0.05)
        assert not first.done()
        assert not second.done()
    assert await first == await second == revisions.head()


async def test_at_its_head_nobody_waits_for_a_turn(server: Server, clone: str) -> None:
    async with in_transaction(server, clone, f"SELECT pg_advisory_lock({migrations.TURN_KEY})"):
        async with asyncio.timeout(20):
            assert await upgrade(server, clone) == revisions.head()


@pytest.mark.parametrize(
    "lost",
    [
        f"REVOKE DELETE ON tasks FROM {SERVING}",
        f"REVOKE USAGE ON SCHEMA jobs FROM {SERVING}",
        f"REVOKE SELECT ON alembic_version FROM {SERVING}",
    ],
)
async def test_rights_that_the_serving_role_lacks_are_given_at_the_head_too(
    server: Server, clone: str, lost: str
) -> None:
    use = "DELETE FROM tasks; SELECT FROM jobs.pgqueuer; SELECT FROM alembic_version"
    await server.execute(lost, OWNER, clone)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await server.execute(use, SERVING, clone)
    await upgrade(server, clone)
    await server.execute(use, SERVING, clone)


async def test_rows_are_filled_as_the_page_says(server: Server, clone: str, tmp_path: Path) -> None:
    """In batches, each a transaction of its own, and then a constraint is validated that reads them all."""
    await server.execute(MANY_TASKS, database=clone)
    (recipe,) = RECIPE.findall((ROOT / "docs/migrations.md").read_text())
    place = tmp_path / "migrations"
    shutil.copytree(revisions.script_location(), place)
    (place / "versions/one_more.py").write_text(
        "from alembic import op\nfrom glasswork.core import online_ddl\n"
        f"revision = '9999'\ndown_revision = {revisions.head()!r}\n"
        f"def upgrade():\n{indent(recipe, '    ')}"
    )

    def act(config: Config) -> None:
        config.set_main_option("script_location", str(place))
        command.upgrade(config, "head")

    engine = migrations.owner_engine(server.url(OWNER, clone))
    async with engine.connect() as connection:
        await connection.run_sync(migrations.run, act)
    await engine.dispose()
    batches = "SELECT count(DISTINCT xmin::text) FROM tasks WHERE rank = 0"
    assert await server.fetch(batches, database=clone) == 3
    is_valid = "SELECT convalidated FROM pg_constraint WHERE conname = 'ck_tasks_rank'"
    assert await server.fetch(is_valid, database=clone) is True
