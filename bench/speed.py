"""How fast reads are at 10,000 and at 1,000,000 tasks: `uv run task speed` prints the table of docs/speed.md.

Each size has a fresh embedded PostgreSQL with one workspace in it. The app answers in this process, so times
are those of a request without the network; printed is the fastest of some, which other work delays least.
"""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import httpx2
from pydantic import SecretStr
from seed import RARE, Plan, seed
from sqlalchemy import make_url
from uuid_utils.compat import uuid7

from glasswork.app import create_app
from glasswork.core import migrations
from glasswork.core.actor import Actor
from glasswork.core.embedded import DATABASE, OWNER_ROLE, SERVING_ROLE, EmbeddedPostgres
from glasswork.core.settings import Settings
from glasswork.core.tokens import issue_access_token
from glasswork.features.search.schemas import SORT_KEYS

ROUNDS = 15
SIZES = (10_000, 1_000_000)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    sizes = parser.parse_args().sizes
    columns = [await measure(size) for size in sizes]
    print(f"| Request | {' | '.join(f'{size:,} tasks' for size in sizes)} |")
    print(f"|---|{'---:|' * len(sizes)}")
    for name in columns[0]:
        print(f"| {name} | {' | '.join(f'{column[name]:.1f} ms' for column in columns)} |")


async def measure(size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="glasswork-speed-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home, durable=False) as server:
            owner, serving = (server.url(role, DATABASE) for role in (OWNER_ROLE, SERVING_ROLE))
            await migrations.upgrade(owner, serving)
            connection = await asyncpg.connect(plain(owner))
            actor = await make_actor(connection)
            plan = await seed(connection, actor.user_id, size)
            requests = await reads(connection, plan)
            await connection.close()
            async with client_of(serving, actor) as client:
                return {name: await fastest(client, *request) for name, request in requests.items()}


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def make_actor(connection: asyncpg.Connection) -> Actor:
    actor = Actor(uuid7(), uuid7())
    await connection.execute(
        "INSERT INTO users (id, email, username, name, password_hash, role, is_active, version)"
        " VALUES ($1, 'speed@example.com', 'speed', 'Speed', '!', 'user', true, 1)",
        actor.user_id,
    )
    await connection.execute(
        "INSERT INTO user_sessions (id, user_id, sequence) VALUES ($1, $2, 0)",
        actor.session_id,
        actor.user_id,
    )
    return actor


@asynccontextmanager
async def client_of(url: str, actor: Actor) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings(
        database_url=SecretStr(url),
        jwt_secret=SecretStr("-" * 32),
        rate_limit_enabled=False,
        log_level="error",
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        headers = {"Authorization": f"Bearer {issue_access_token(app.state.keys, actor)}"}
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://localhost/api/v1", headers=headers
        ) as client:
            yield client


Request = tuple[str | Sequence[str], Mapping[str, Any]]
"""Of paths each is asked for once: what is kept after that would be quicker."""


async def reads(connection: asyncpg.Connection, plan: Plan) -> dict[str, Request]:
    project = f"/projects/{plan.projects[0]}"
    workspace = f"/workspaces/{plan.workspace_id}"
    task_id = await connection.fetchval(
        "SELECT id FROM tasks WHERE project_id = $1 LIMIT 1", plan.projects[0]
    )
    sorts = [sort for key in SORT_KEYS for sort in (key, f"-{key}")]
    lists = {"a project": f"{project}/tasks", "a workspace": f"{workspace}/tasks"}
    return {
        "a task": (f"/tasks/{task_id}", {}),
        **{
            f"50 tasks of {place}, sort={sort}": (path, {"sort": sort})
            for place, path in lists.items()
            for sort in sorts
        },
        "of a workspace, assignee_id=me": (lists["a workspace"], {"assignee_id": "me"}),
        "of a workspace, status=todo": (lists["a workspace"], {"status": "todo"}),
        "of a workspace, label:“label 3”": (lists["a workspace"], {"filter": 'label:"label 3"'}),
        "of a workspace, due=today": (lists["a workspace"], {"due": "today"}),
        "the board of a project": (f"{project}/board", {}),
        "the summary of a project": ([f"/projects/{each}/summary" for each in plan.projects], {}),
        "the summary of a project, once it is kept": (f"{project}/summary", {}),
        "search for a rare word": (f"{workspace}/search", {"q": RARE}),
        "search for a word of every task": (f"{workspace}/search", {"q": "task"}),
    }


async def fastest(client: httpx2.AsyncClient, paths: str | Sequence[str], query: Mapping[str, Any]) -> float:
    """In milliseconds."""
    seconds = []
    for path in [paths] * ROUNDS if isinstance(paths, str) else paths:
        began = perf_counter()
        answer = await client.get(path, params=query)
        seconds.append(perf_counter() - began)
        answer.raise_for_status()
    return 1000 * min(seconds)


if __name__ == "__main__":
    asyncio.run(main())
