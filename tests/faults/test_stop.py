"""SIGTERM under load: who is told to stop finishes what is in hand, or gives it back."""

import asyncio
import socket
from collections import Counter
from pathlib import Path
from random import Random

import httpx2
import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.core.outbox import Outbox
from glasswork.core.telemetry.context import begin_request
from glasswork.features.accounts.events import UserCreated
from glasswork.features.accounts.models import SystemRole, User
from tests.core.runners import fetch
from tests.factories.callers import PASSWORD_HASH, Callers
from tests.smtp import Sink, listening

from .cast import set_up
from .document import mutations
from .fleet import PLACES, Fleet, open_fleet
from .history import check_letters, check_order, check_requests, stored_events, summary
from .settling import IN_HAND, SECONDS, settle, until, until_working
from .traffic import Traffic

pytestmark = [pytest.mark.anyio, pytest.mark.long, pytest.mark.timeout(300 + 5 * SECONDS)]

AT_LEAST = 3
"""So often each kind is stopped, however slow the machine is."""

BURST = 30
OURS = "burst-of-this-test"
"""Request id of the accounts that are not opened through the API: no password is hashed for them."""

ABANDONED = """
    SELECT job_id FROM jobs.pgqueuer_log GROUP BY job_id
    HAVING count(*) FILTER (WHERE status = 'picked') <> count(*) FILTER (WHERE status = 'queued')
"""
"""Jobs that a worker took and neither finished nor gave back."""


async def open_accounts(database: Database, burst: int) -> None:
    begin_request(OURS)
    async with database.system_transaction() as session:
        for number in range(burst * BURST, (burst + 1) * BURST):
            user = User(
                email=f"burst{number}@example.com",
                username=f"burst{number}",
                name="Burst",
                role=SystemRole.USER,
                password_hash=PASSWORD_HASH,
            )
            session.add(user)
            await session.flush()
            Outbox(session).record(None, UserCreated.of(user))


async def stop_workers(fleet: Fleet, database: Database, rng: Random, times_up: asyncio.Event) -> list[int]:
    """Return the exit codes."""
    exit_codes: list[int] = []
    while len(exit_codes) < AT_LEAST or not times_up.is_set():
        place = len(exit_codes) % len(PLACES)
        await open_accounts(database, len(exit_codes))
        await until(database, IN_HAND)
        await asyncio.sleep(rng.uniform(0, 0.3))  # when is left to chance
        exit_codes.append(await fleet.stop_worker(place))
        fleet.start_worker(place)
        await until_working(database, len(PLACES))
    return exit_codes


async def stop_apis(fleet: Fleet, rng: Random, times_up: asyncio.Event) -> list[int]:
    """Return the exit codes."""
    exit_codes: list[int] = []
    while len(exit_codes) < AT_LEAST or not times_up.is_set():
        await asyncio.sleep(rng.uniform(0, 1))  # likewise
        place = rng.choice(PLACES)
        exit_codes.append(await fleet.stop_api(place))
        await fleet.start_api(place)
    return exit_codes


async def test_nothing_is_lost_and_nothing_is_done_twice_when_processes_are_told_to_stop(
    app: FastAPI, database: Database, rng: Random, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sink, address = Sink(), socket.create_server(("127.0.0.1", 0))
    times_up, over = asyncio.Event(), asyncio.Event()
    url = f"smtp://127.0.0.1:{address.getsockname()[1]}"
    async with (
        listening(sink, address),
        open_fleet(tmp_path, database, SMTP_URL=url) as fleet,
        httpx2.AsyncClient(timeout=30) as client,
    ):
        traffic = Traffic(fleet, client, mutations(app.openapi()), rng)
        cast = await set_up(traffic, Callers(client, database, app.state.keys))
        async with asyncio.TaskGroup() as writing:
            for writer in cast.writers:
                writing.create_task(traffic.write(writer, over))
            async with asyncio.TaskGroup() as stopping:
                workers = stopping.create_task(stop_workers(fleet, database, rng, times_up))
                apis = stopping.create_task(stop_apis(fleet, rng, times_up))
                await asyncio.sleep(SECONDS / 2)
                times_up.set()
            over.set()
        await settle(database)
    events = await stored_events(database)
    stopped = f"stopped {len(apis.result())} APIs and {len(workers.result())} workers"
    request.node.add_report_section("call", "traffic", f"{stopped}\n{summary(traffic.requests, events)}")
    assert {*workers.result(), *apis.result()} == {0}
    assert await fetch(database, ABANDONED) == []
    check_requests(traffic.requests, [event for event in events if event.request_id != OURS])
    check_order(events)
    assert set(Counter(message["Message-ID"] for message in sink.accepted).values()) == {1}
    sent = zip(sink.recipients, sink.accepted, strict=True)
    letters = [(recipient, str(message["Subject"])) for (recipient,), message in sent]
    await check_letters(database, letters, events)
