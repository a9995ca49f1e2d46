"""What login and reset tell, and do, is the same whether there is an account or not."""

import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import text, update

from glasswork.core.db import Database
from glasswork.features.accounts.models import User
from tests.factories.callers import Callers
from tests.features.accounts.sign_in import log_in
from tests.statements import statements

from .test_passwords import forget

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("limited")]

OWN = {"x-request-id", "x-process-time", "traceresponse"}
ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}|[0-9a-f]{32}|sa_savepoint_\d+|\d{4}-\d\d-\d\d[T ][0-9:.+]+"
)
TRACES = (
    "SELECT to_jsonb(e) - ARRAY['request_id', 'traceparent'] FROM installation_events e ORDER BY id",
    "SELECT entrypoint || ' ' || convert_from(payload, 'UTF8') FROM jobs.pgqueuer ORDER BY id",
)


async def wrong_login(client: AsyncClient, email: str) -> Response:
    return await log_in(client, email, "another otter 78")


async def traces(database: Database) -> list[list[str]]:
    """What was ever stored besides, by table, without what is different each time."""
    async with database.reading() as session:
        return [
            [ID.sub("*", str(row)) for row in await session.scalars(text(statement))] for statement in TRACES
        ]


@pytest.mark.parametrize(
    ("operation", "times", "status", "stored"),
    [(wrong_login, 1, 401, 0), (wrong_login, 8, 429, 0), (forget, 1, 204, 2), (forget, 3, 429, 4)],
)
async def test_known_unknown_and_shut_off_are_the_same(
    callers: Callers,
    database: Database,
    operation: Callable[[AsyncClient, str], Coroutine[Any, Any, Response]],
    times: int,
    status: int,
    stored: int,
) -> None:
    known, gone = await callers.user(), await callers.user()
    async with database.transaction() as session:
        await session.execute(update(User).where(User.id == gone.id).values(is_active=False))

    async def observe(email: str) -> tuple[Any, ...]:
        async with database.transaction() as session:
            await session.execute(text("DELETE FROM guess_counts"))
        before = await traces(database)
        for _ in range(times - 1):
            await operation(callers.client, email)
        with statements(database) as sent:
            answer = await operation(callers.client, email)
        headers = {name: value for name, value in answer.headers.items() if name not in OWN}
        headers["server-timing"] = headers["server-timing"].partition("q")[0].rpartition('"')[2]
        after = await traces(database)
        made = [row for was, is_ in zip(before, after, strict=True) for row in is_[len(was) :]]
        return answer.status_code, headers, ID.sub("*", answer.text + str(sent)), made

    first = await observe(known.email)
    assert first == await observe("nobody@example.com") == await observe(gone.email)
    assert (first[0], len(first[-1])) == (status, stored)
