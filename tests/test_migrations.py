import asyncio
from collections.abc import AsyncIterator

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from asyncpg import InsufficientPrivilegeError

from glasswork.core import migrations, revisions
from glasswork.core.errors import StartError
from glasswork.installation import refuse_other_schema
from glasswork.models import Base
from tests.conftest import make_settings
from tests.core.test_tenant_keys import OF_ALL, OF_USERS
from tests.databases import OWNER, SERVING, Server

pytestmark = pytest.mark.anyio

TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public' AND table_name <> $1"


PROJECTS_OF_BEFORE = """
    SET session_replication_role = replica;
    CREATE TEMP TABLE made AS
        SELECT gen_random_uuid() AS workspace_id, gen_random_uuid() AS id, key
        FROM unnest(ARRAY['EMPTY', 'MADE', 'OURS']) AS key;
    INSERT INTO projects (workspace_id, id, key, name, description, last_number, created_by, version)
        SELECT workspace_id, id, key, key, '', 2, workspace_id, 1 FROM made;
    INSERT INTO tasks (
        workspace_id, id, project_id, number, title, description, status_id, priority, position, created_by,
        version, external
    )
    SELECT workspace_id, gen_random_uuid(), id, number, 'x', '', id, 'none', number::text, id, 1,
        CASE WHEN (key = 'MADE') = (number = 1) THEN '{"source": "trello.com/b/x"}'::jsonb END
    FROM made, generate_series(1, 2) AS number WHERE key <> 'EMPTY'
"""
"""MADE begins with what was imported; in OURS that came later."""


@pytest.fixture
async def clone(server: Server) -> AsyncIterator[str]:
    async with server.clone() as name:
        yield name


async def run(url: str, name: str, revision: str) -> None:
    def act(config: Config) -> None:
        getattr(command, name)(config, revision)

    engine = migrations.owner_engine(url)
    async with engine.connect() as connection:
        await connection.run_sync(migrations.run, act)
    await engine.dispose()


async def test_models_and_schema_are_the_same(server: Server, clone: str) -> None:
    await migrations.compare(server.url(OWNER, clone))


def test_the_revisions_that_we_know_are_those_of_alembic() -> None:
    scripts = ScriptDirectory.from_config(migrations.alembic_config())
    assert revisions.head() == scripts.get_current_head()
    for script in scripts.walk_revisions():
        assert not revisions.is_newer(script.revision)
        assert (revisions.describe(script.revision) == "ok") == (script.revision == revisions.head())
    assert revisions.is_newer("9999")
    assert revisions.describe("9999") == "ok"
    assert revisions.describe(None) == f"at None, expected {revisions.head()}"


@pytest.mark.slow
async def test_every_revision_goes_down_and_up_again(server: Server, clone: str) -> None:
    owner = server.url(OWNER, clone)
    scripts = ScriptDirectory.from_config(migrations.alembic_config())
    for revision in scripts.walk_revisions():
        await run(owner, "downgrade", "-1")
        await run(owner, "upgrade", revision.revision)
        await run(owner, "downgrade", "-1")
    assert await server.fetch(TABLES, "alembic_version", database=clone) == 0
    await run(owner, "upgrade", "head")
    await migrations.compare(owner)


async def test_a_session_that_was_there_was_authenticated_when_it_began(server: Server, clone: str) -> None:
    owner = server.url(OWNER, clone)
    await run(owner, "downgrade", "0004")
    await server.execute(
        "WITH ada AS (INSERT INTO users (id, email, username, name, password_hash, role, is_active, version)"
        " VALUES (gen_random_uuid(), 'a', 'a', 'a', 'a', 'user', true, 1) RETURNING id)"
        " INSERT INTO user_sessions (id, user_id, sequence, created_at)"
        " SELECT gen_random_uuid(), id, 0, now() - interval '1 day' FROM ada",
        OWNER,
        clone,
    )
    await run(owner, "upgrade", "head")
    kept = "SELECT count(*) FROM user_sessions WHERE authenticated_at = created_at"
    assert await server.fetch(kept, database=clone) == 1


async def test_a_project_that_was_there_is_its_first_tasks_sources(server: Server, clone: str) -> None:
    owner = server.url(OWNER, clone)
    await run(owner, "downgrade", "0027")
    await server.execute(
        PROJECTS_OF_BEFORE, database=clone
    )  # keys to rows that are not needed are not asked for
    await run(owner, "upgrade", "0028")
    told = "SELECT string_agg(key || ' ' || coalesce(source, '-'), ', ' ORDER BY key) FROM projects"
    assert await server.fetch(told, database=clone) == "EMPTY -, MADE trello.com/b/x, OURS -"


async def test_processes_that_start_together_migrate_once(server: Server, clone: str) -> None:
    owner, serving = server.url(OWNER, clone), server.url(SERVING, clone)
    await run(owner, "downgrade", "base")
    await asyncio.gather(*(migrations.upgrade(owner, serving) for _ in range(4)))
    await migrations.compare(owner)


async def test_the_schema_of_a_newer_version_is_left_as_it_is_and_served_with(
    server: Server, clone: str
) -> None:
    owner, serving = server.url(OWNER, clone), server.url(SERVING, clone)
    await server.execute("UPDATE alembic_version SET version_num = 'newer'", OWNER, clone)
    assert await migrations.upgrade(owner, serving) == "newer"
    await refuse_other_schema(make_settings(serving))
    await server.execute("UPDATE alembic_version SET version_num = '0001'", OWNER, clone)
    with pytest.raises(StartError, match=r"at 0001, expected .* glasswork migrate"):
        await refuse_other_schema(make_settings(serving))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine ()",
        "ALTER TABLE tasks ADD mine int",
        "DROP TABLE task_labels",
        "TRUNCATE task_labels",
        "UPDATE alembic_version SET version_num = 'mine'",
        "UPDATE workspace_events SET actor_id = NULL",
        "UPDATE installation_events SET type = 'mine'",
        "DELETE FROM workspace_events",
        "DELETE FROM installation_events",
        "TRUNCATE installation_events",
    ],
)
async def test_the_serving_role_changes_rows_and_nothing_else(
    server: Server, clone: str, statement: str
) -> None:
    with pytest.raises(InsufficientPrivilegeError):
        await server.execute(statement, role=SERVING, database=clone)
    for allowed in ("DELETE FROM task_labels", "UPDATE workspace_events SET before = NULL, after = NULL"):
        await server.execute(allowed, role=SERVING, database=clone)


def test_tables_of_a_tenant_have_its_id_in_every_key() -> None:
    """Not those of a user, or of the installation, whose row may name a workspace."""
    tenants = [
        table
        for table in Base.metadata.sorted_tables
        if "workspace_id" in table.columns and table.name not in OF_USERS | OF_ALL
    ]
    assert {"memberships", "workspace_events"} <= {table.name for table in tenants}
    for table in tenants:
        assert "workspace_id" in table.primary_key.columns, table.name
        for constraint in table.foreign_key_constraints:
            target = constraint.referred_table
            if "workspace_id" in target.columns:
                assert "workspace_id" in constraint.column_keys, f"{table.name}: {constraint.column_keys}"
        if "id" in table.columns:
            assert any([*index.columns] == [table.c.id] for index in table.indexes), table.name
