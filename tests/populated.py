"""An installation in use, and all that can be compared of two of them."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from sqlalchemy import make_url

from glasswork.core.embedded import DATABASE, OWNER_ROLE, SERVING_ROLE, EmbeddedPostgres
from tests.processes import Serving, make, run, sign_in

TABLES = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'jobs')
"""
ROWS = """SELECT concat(count(*), ' ', md5(string_agg(row, E'\n' ORDER BY row COLLATE "C")))
    FROM (SELECT t::text AS row FROM {} t)"""
AS_READ = re.compile(r"::(character varying|[a-z]+)(\[\])?|[() ]")
"""Casts and brackets, which PostgreSQL writes otherwise of an expression that it has read from a dump."""
STRUCTURE = {
    "sequences": "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2",
    "policies": "SELECT * FROM pg_policies ORDER BY schemaname, tablename, policyname",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname IN ('public', 'jobs') ORDER BY 1",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace::regnamespace::text IN ('public', 'jobs') ORDER BY 1, 2",
    "relations": "SELECT oid::regclass::text, relkind, relrowsecurity, relforcerowsecurity, reloptions,"
    " relowner::regrole::text, ARRAY(SELECT unnest(relacl)::text ORDER BY 1) FROM pg_class"
    " WHERE relnamespace::regnamespace::text IN ('public', 'jobs') ORDER BY 1",
    "columns": "SELECT attrelid::regclass::text, attname, atttypid::regtype::text, attacl::text"
    " FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE attnum > 0 AND NOT attisdropped"
    " AND relnamespace::regnamespace::text IN ('public', 'jobs') ORDER BY 1, 2",
    "functions": "SELECT oid::regprocedure::text, prosecdef, proconfig, prosrc, proowner::regrole::text,"
    " proacl::text FROM pg_proc WHERE pronamespace::regnamespace::text IN ('public', 'jobs') ORDER BY 1",
    "schemas": "SELECT nspname, ARRAY(SELECT unnest(nspacl)::text ORDER BY 1) FROM pg_namespace"
    " WHERE nspname IN ('public', 'jobs') ORDER BY 1",
}


@dataclass(frozen=True)
class Installation:
    """What people have of it: a token each that they made before, and what they saw."""

    data_dir: Path
    token: str
    api_token: str
    workspace: Mapping[str, Any]
    task: Mapping[str, Any]
    content: str
    """The path of a file, which has `b"words"` in it."""
    last_seq: int


@contextmanager
def client_of(serving: Serving, token: str) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=f"{serving.base_url}/api/v1", headers=headers, timeout=30) as client:
        yield client


def populate(data_dir: Path) -> Installation:
    """Use it over HTTP, with nobody who carries out the jobs, and make the demo beside that."""
    run("demo", data_dir=data_dir).check_returncode()
    with Serving(data_dir, "--no-worker") as serving, sign_in(serving) as api:
        workspace = make(api, "/workspaces", name="Engines", slug="engines")
        project = make(api, f"/workspaces/{workspace['id']}/projects", name="Operations", key="OPS")
        task = make(api, f"/projects/{project['id']}/tasks", title='Äther 🜁 \\N \t quoted \'n "so"')
        make(api, f"/tasks/{task['id']}/comments", body="*Of* course")
        make(api, f"/workspaces/{workspace['id']}/webhooks", url="https://example.com/x", events=["task.*"])
        file = api.put(f"/tasks/{task['id']}/attachments", params={"name": "file"}, content=b"words").json()
        script = make(api, "/auth/api-tokens", name="script", scopes=["tasks:read", "changes:read"])
        changes = api.get(f"/workspaces/{workspace['id']}/changes", params={"limit": 100}).json()
        token = api.headers["Authorization"].split()[1]
        task = api.get(f"/tasks/{task['id']}").json()
    content = f"/attachments/{file['id']}/content"
    return Installation(
        data_dir, token, script["token"], workspace, task, content, changes["items"][-1]["seq"]
    )


def contents(url: str, owner: str, serving: str) -> Mapping[str, str]:
    """Return a checksum of each table's rows, and the structure; roles have the same names everywhere."""
    told = asyncio.run(_read(url))
    roles = re.compile(rf"\b(?:({owner})|{serving})\b(?!\.)")  # nor the settings that are called like one
    return {
        name: roles.sub(lambda found: "OWNER" if found[1] else "SERVING", text) for name, text in told.items()
    }


def contents_of(data_dir: Path) -> Mapping[str, str]:
    with EmbeddedPostgres(data_dir) as server:
        return contents(server.url("postgres", DATABASE), OWNER_ROLE, SERVING_ROLE)


async def _read(url: str) -> Mapping[str, str]:
    connection = await asyncpg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    try:
        await connection.execute("SET timezone = 'UTC'")
        tables = [row[0] for row in await connection.fetch(TABLES)]
        rows = {table: await connection.fetchval(ROWS.format(table)) for table in tables}
        structure = {
            name: AS_READ.sub("", str(await connection.fetch(query))) for name, query in STRUCTURE.items()
        }
    finally:
        await connection.close()
    return rows | structure
