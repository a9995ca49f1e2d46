"""With many tasks, every list and search finds its page by an index, and sorts no more than that."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from seed import RARE, Plan, seed
from sqlalchemy import make_url

from glasswork.app import create_app
from glasswork.core.db import Database
from glasswork.core.read_connections import ReadConnections
from glasswork.core.statements import READS
from glasswork.features.search.schemas import SORT_KEYS
from tests.conftest import make_client, make_settings
from tests.databases import OWNER, SERVING, Server
from tests.factories.callers import Caller, Callers
from tests.statements import watching

COMMENTS = f"""
    INSERT INTO comments (
        workspace_id, id, task_id, author_id, body, body_html, mentions, version, created_at, updated_at
    )
    SELECT workspace_id, gen_random_uuid(), id, created_by,
        'Of the task: ' || CASE WHEN number % 10000 = 0 THEN '{RARE}' ELSE title END, '', '{{}}', 1,
        created_at, created_at
    FROM tasks WHERE number % 4 = 0
"""
"""Of every fourth task one; `task` stands in all of them, too."""

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("plans")]

TASKS = 200_000
"""A million take minutes to make; `uv run task bench` and `speed` do, and show the times."""
MOST_ROWS = 4_000
"""That a plan may take from an index, or sort: a search ranks 2,000."""


@dataclass(frozen=True)
class Big:
    owner: Caller
    stranger: Caller
    database: Database
    plan: Plan
    connection: asyncpg.Connection
    statements: list[tuple[str, Any]]

    async def nodes(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Of the plan of the one statement that the request sent."""
        self.statements.clear()
        answer = await self.owner.get(path, **query)
        assert answer.status_code == 200, answer.text
        ((statement, values),) = self.statements
        return await self.explain(statement, values)

    async def explain(self, statement: str, values: Any) -> list[dict[str, Any]]:
        plan = await self.connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
        return list(walk(json.loads(plan)[0]["Plan"]))

    async def cursors(self, path: str, sort: str) -> list[str | None]:
        """Of the first page and of a later one."""
        first = (await self.owner.get(path, sort=sort, limit=100)).json()
        second = (await self.owner.get(path, sort=sort, limit=100, cursor=first["next_cursor"])).json()
        for one, next_ in pairwise([*first["items"], *second["items"]]):
            assert one["id"] != next_["id"]
        return [None, second["next_cursor"]]


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", []):
        yield from walk(inner)


def faults(nodes: list[dict[str, Any]]) -> list[str]:
    """What reads all tasks, or reads or sorts more of them than a page needs."""
    concerned = [
        node
        for node in nodes
        if "Sort" in node["Node Type"] or node.get("Relation Name") in {"tasks", "comments"}
    ]
    return [
        f"{node['Node Type']} of {rows_of(node):.0f} rows"
        for node in concerned
        if rows_of(node) > MOST_ROWS or node["Node Type"] == "Seq Scan"
    ]


def rows_of(node: dict[str, Any]) -> float:
    rows: float = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return rows


@pytest.fixture(scope="module")
async def big(server: Server) -> AsyncIterator[Big]:
    async with server.clone() as name:
        app = create_app(make_settings(server.url(SERVING, name), database_pool_size=1))
        async with (
            app.router.lifespan_context(app),
            make_client(app) as client,
            connecting(server, OWNER, name) as owner,
            connecting(server, SERVING, name) as serving,
        ):
            sent: list[tuple[str, Any]] = []
            with watching(app.state.database, lambda *statement: sent.append(statement)):
                yield await fill(app, client, owner, serving, sent)


@asynccontextmanager
async def connecting(server: Server, role: str, name: str) -> AsyncIterator[asyncpg.Connection]:
    url = make_url(server.url(role, name)).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    yield connection
    await connection.close()


async def fill(
    app: FastAPI,
    client: AsyncClient,
    seeding: asyncpg.Connection,
    connection: asyncpg.Connection,
    sent: list[tuple[str, Any]],
) -> Big:
    """`connection` is for plans: policies would shape those of the role that serves, and not the owner's."""
    callers = Callers(client, app.state.database, app.state.keys)
    owner, stranger = await callers.user(), await callers.user()
    plan = await seed(seeding, owner.id, TASKS)
    await seeding.execute(COMMENTS)
    await seeding.execute("VACUUM ANALYZE comments")
    return Big(owner, stranger, app.state.database, plan, connection, sent)


def lists(plan: Plan) -> tuple[str, str]:
    return f"/projects/{plan.projects[0]}/tasks", f"/workspaces/{plan.workspace_id}/tasks"


def cursor_of(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"cursor": cursor}


async def test_a_task_by_id(big: Big) -> None:
    task_id = await big.connection.fetchval("SELECT id FROM tasks LIMIT 1")
    assert faults(await big.nodes(f"/tasks/{task_id}")) == []


async def test_every_sort_at_the_start_and_later(big: Big) -> None:
    found = {
        (path, sort, cursor): faults(
            await big.nodes(path, sort=sort, **({"cursor": cursor} if cursor else {}))
        )
        for path in lists(big.plan)
        for key in SORT_KEYS
        for sort in (key, f"-{key}")
        for cursor in await big.cursors(path, sort)
    }
    assert {place: wrong for place, wrong in found.items() if wrong} == {}
    assert len(found) == 2 * 2 * 2 * len(SORT_KEYS)


async def test_filters(big: Big) -> None:
    project, workspace = lists(big.plan)
    label = {"label_id": str(big.plan.labels[0][0])}
    assert faults(await big.nodes(project, **label)) == []
    queries: list[dict[str, Any]] = [
        {"assignee_id": "me"},
        {"status": "todo"},
        {"category": "done", "sort": "-due_at"},
        {"due": "today"},
        {"filter": "status:open due:<7d -assignee:me priority:>=high"},
        {"filter": 'label:"label 3" task'},
        {"filter": RARE},
        {"filter": f"{RARE} -label"},
        {"q": f"task -{RARE}"},
    ]
    for query in queries:
        assert faults(await big.nodes(workspace, **query)) == [], query


@pytest.mark.parametrize("view", ["board", "summary"])
async def test_counts_visit_no_task(big: Big, view: str) -> None:
    """A board visits only those that it shows."""
    big.statements.clear()
    answer = await big.owner.get(f"/projects/{big.plan.projects[0]}/{view}")
    assert answer.status_code == 200, answer.text
    nodes = await big.explain(*big.statements[-1])  # a summary is looked for among those that are kept, first
    counts = [
        node
        for node in nodes
        if (node["Node Type"], node.get("Index Name")) == ("Index Only Scan", "ix_tasks_board")
    ]
    assert len(counts) >= 1
    assert sum(node["Heap Fetches"] for node in counts) == 0
    assert faults([node for node in nodes if node not in counts]) == []


@pytest.mark.parametrize(
    "words",
    [
        (RARE, "task"),
        ("task", RARE),
        (f"task -{RARE}", f"{RARE} -label"),
        (f"{RARE} -label", f"task -{RARE}"),
    ],
    ids="/".join,
)
async def test_searches_whichever_words_came_before(big: Big, words: tuple[str, ...]) -> None:
    """PostgreSQL may plan a statement for good after five times, for all words alike."""
    path = f"/workspaces/{big.plan.workspace_id}/search"
    for word in words * 2:
        for _ in range(7):
            assert faults(await big.nodes(path, q=word)) == [], word
    used = (
        "SELECT sum(custom_plans), sum(generic_plans) FROM pg_prepared_statements"
        " WHERE statement LIKE '%ts_headline%' AND statement NOT LIKE '%pg_prepared%'"
    )
    async with big.database.reading() as session:
        reads: ReadConnections = session.info[READS]
        ((custom, generic),) = await reads.fetch(used, ("SELECT", "used"), ())
    assert custom > 0
    assert generic == 0


async def test_a_stranger_does_not_make_it_look_at_tasks(big: Big) -> None:
    for path in lists(big.plan):
        for sort in ("-created_at", "title", "status"):
            big.statements.clear()
            assert (await big.stranger.get(path, sort=sort)).status_code == 404
            nodes = await big.explain(*big.statements[0])
            looked = [node for node in nodes if node.get("Relation Name") == "tasks" and node["Actual Loops"]]
            assert looked == [], path
