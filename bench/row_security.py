"""What row security costs: `uv run task bench-row-security`.

Requests go straight through the app without a socket, one after another, and the variants take turns. A
write is compared with the same by a role that no policy holds; a read with one in a transaction, which it
would need for a policy to know who asks.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter

import asyncpg
import httpx2
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import make_url

from glasswork.app import create_app
from glasswork.core import migrations
from glasswork.core.embedded import DATABASE, OWNER_ROLE, SERVING_ROLE, EmbeddedPostgres
from glasswork.core.http.dependencies import get_session, get_transaction
from glasswork.core.settings import Settings

UNHELD = "glasswork_unheld"
WARM_UP = 50


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory(prefix="glasswork-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home) as server:
            await migrations.upgrade(server.url(OWNER_ROLE, DATABASE), server.url(SERVING_ROLE, DATABASE))
            await make_unheld(server.url("postgres", DATABASE))
            await measure(server, requests)


async def make_unheld(url: str) -> None:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE ROLE {UNHELD} LOGIN BYPASSRLS IN ROLE {SERVING_ROLE}")
    await connection.close()


async def measure(server: EmbeddedPostgres, requests: int) -> None:
    async with AsyncExitStack() as stack:
        held, unheld, transacted = [
            await stack.enter_async_context(
                serving(server.url(role, DATABASE), in_transaction=in_transaction)
            )
            for role, in_transaction in ((SERVING_ROLE, False), (UNHELD, False), (SERVING_ROLE, True))
        ]
        path = await make_task(held)
        unheld.headers = transacted.headers = held.headers
        variants = {
            "write, without policies": (unheld, "PATCH"),
            "write": (held, "PATCH"),
            "read": (held, "GET"),
            "read in a transaction": (transacted, "GET"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in variants}
        for number in range(requests + WARM_UP):
            for name, (client, method) in variants.items():
                body = {"title": f"{name} {number}"} if method == "PATCH" else None
                began = perf_counter()
                answer = await client.request(method, path, json=body)
                seconds[name].append(perf_counter() - began)
                answer.raise_for_status()
    for name, values in seconds.items():
        tenth, median = (value * 1e3 for value in quantiles(values[WARM_UP:]))
        print(f"{name:<24} median {median:6.2f} ms   fastest tenth {tenth:6.2f} ms")


def quantiles(values: list[float]) -> tuple[float, float]:
    return statistics.quantiles(values, n=10)[0], statistics.median(values)


@asynccontextmanager
async def serving(database_url: str, *, in_transaction: bool) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings(
        database_url=SecretStr(database_url),
        jwt_secret=SecretStr("-" * 32),
        rate_limit_enabled=False,
        log_level="error",
        worker_inline=False,
    )
    app: FastAPI = create_app(settings)
    if in_transaction:
        app.dependency_overrides[get_session] = get_transaction
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://localhost/api/v1") as client,
    ):
        yield client


async def make_task(client: httpx2.AsyncClient) -> str:
    """Return its path; the client is its owner's from then on."""
    password = "tremendous otter 77"  # noqa: S105 (of nobody)
    account = {"email": "bench@example.com", "username": "bench", "name": "Bench"}
    await client.post("/auth/register", json=account | {"password": password})
    answer = await client.post("/auth/token", data={"username": "bench", "password": password})
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    workspace = (await client.post("/workspaces", json={"name": "Bench", "slug": "bench"})).json()
    project = await client.post(
        f"/workspaces/{workspace['id']}/projects", json={"name": "Bench", "key": "BENCH"}
    )
    task = await client.post(f"/projects/{project.json()['id']}/tasks", json={"title": "Bench"})
    return f"/tasks/{task.json()['id']}"


if __name__ == "__main__":
    asyncio.run(main())
