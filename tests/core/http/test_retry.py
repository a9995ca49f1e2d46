"""What the database undoes is done anew, from the first statement on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Annotated

import pytest
from fastapi import Body, FastAPI, Request
from httpx2 import AsyncClient
from sqlalchemy import text

from glasswork.core.http.dependencies import Session
from glasswork.core.http.middleware.retry import TRIES
from tests.conftest import make_client, open_app, patient
from tests.databases import OWNER, SERVING, Server
from tests.scrapes import total

pytestmark = pytest.mark.anyio

CLIENTS = 20

Changed = Callable[[], Awaitable[int]]
Retried = Callable[[str], float]


@pytest.fixture(scope="module")
async def app(server: Server) -> AsyncIterator[FastAPI]:
    """Has rows to quarrel about, on a server that notices deadlocks at once."""
    async with AsyncExitStack() as stack:
        with patient():
            app = await stack.enter_async_context(open_app(server))
        name = app.state.database.engine.url.database
        await server.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '10ms'")
        await server.execute(
            "CREATE TABLE rows (id int PRIMARY KEY, changes int NOT NULL DEFAULT 0);"
            f"INSERT INTO rows SELECT generate_series(1, 2); GRANT SELECT, UPDATE ON rows TO {SERVING}",
            role=OWNER,
            database=name,
        )
        app.add_api_route("/swap", swap, methods=["POST"])
        app.add_api_route("/fail", fail, methods=["POST"])
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    app.state.tries = 0
    async with make_client(app) as client:
        yield client


@pytest.fixture
async def changed(app: FastAPI) -> Changed:
    """Tells how many changes of rows have been committed since the test began."""

    async def count() -> int:
        async with app.state.database.reading() as session:
            made: int = (await session.execute(text("SELECT sum(changes) FROM rows"))).scalar_one()
            return made

    before = await count()

    async def changed() -> int:
        return await count() - before

    return changed


@pytest.fixture
def retried(app: FastAPI) -> Retried:
    """Tells how many requests have been done anew for a reason since the test began."""

    def count(reason: str) -> float:
        scraped = app.state.signals.metrics.expose("")[0].decode()
        return total(scraped, "glasswork_request_retries_total", reason=reason)

    before = {reason: count(reason) for reason in ("serialization", "deadlock", "lock", "connection")}
    return lambda reason: count(reason) - before[reason]


async def change(session: Session, row: int) -> None:
    await session.execute(text("UPDATE rows SET changes = changes + 1 WHERE id = :row"), {"row": row})


async def swap(order: Annotated[list[int], Body()], session: Session) -> list[int]:
    for row in order:
        await change(session, row)
    return order


async def fail(states: Annotated[list[str], Body()], request: Request, session: Session) -> int:
    """Fail with one state after the other, try by try; return which try it was."""
    number: int = request.app.state.tries + 1
    request.app.state.tries = number
    await change(session, 1)
    if number <= len(states):
        await session.execute(
            text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{states[number - 1]}'; END $$")
        )
    return number


async def test_a_storm_of_deadlocks_is_not_noticed(
    client: AsyncClient, changed: Changed, retried: Retried
) -> None:
    orders = ([1, 2], [2, 1])
    swaps = (client.post("/swap", json=orders[number % 2]) for number in range(CLIENTS))
    assert {answer.status_code for answer in await asyncio.gather(*swaps)} == {200}
    assert await changed() == 2 * CLIENTS
    assert retried("deadlock") > 0


@pytest.mark.parametrize(
    ("state", "reason"),
    [("40001", "serialization"), ("40P01", "deadlock"), ("55P03", "lock"), ("57P01", "connection")],
)
class TestTransient:
    async def test_ones_are_done_anew_as_if_nothing_had_been(
        self, client: AsyncClient, changed: Changed, retried: Retried, state: str, reason: str
    ) -> None:
        answer = await client.post("/fail", json=[state] * (TRIES - 1))
        assert (answer.status_code, answer.json()) == (200, TRIES)
        assert await changed() == 1
        assert retried(reason) == TRIES - 1

    async def test_ones_that_do_not_end_are_told(
        self, client: AsyncClient, changed: Changed, retried: Retried, state: str, reason: str
    ) -> None:
        answer = await client.post("/fail", json=[state] * TRIES)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert answer.headers["Retry-After"] == "1"
        assert await changed() == 0
        assert retried(reason) == TRIES - 1


@pytest.mark.parametrize(
    ("state", "status"), [("57014", 503), ("53300", 503), ("40003", 503), ("XX000", 500)]
)
async def test_others_are_told_at_once(client: AsyncClient, app: FastAPI, state: str, status: int) -> None:
    assert (await client.post("/fail", json=[state])).status_code == status
    assert app.state.tries == 1
