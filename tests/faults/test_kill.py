"""Kill -9 under load: what the API and the workers did before they died is neither lost nor done twice."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import httpx2
import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from tests.contract.test_events import SILENT
from tests.core.runners import fetch
from tests.factories.callers import Callers

from .cast import Cast, set_up
from .document import mutations
from .feed import Event, follow, replay, show, show_users, standing
from .fleet import PLACES, Fleet, Moment, open_fleet
from .history import check_letters, check_locks, check_order, check_requests, stored_events, summary
from .settling import IN_HAND, SECONDS, settle, until, until_working
from .traffic import Traffic

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(300 + 5 * SECONDS)]

Followed = dict[str, asyncio.Task[list[Event]]]
"""By workspace."""


async def kill_apis(fleet: Fleet, rng: Random, over: asyncio.Event) -> int:
    """Return how many."""
    kills = 0
    while not over.is_set():
        await asyncio.sleep(rng.uniform(0, 1))  # when is left to chance
        place = rng.choice(PLACES)
        await fleet.kill_api(place, rng.choice([*Moment]))
        await fleet.start_api(place)
        kills += 1
    return kills


async def kill_workers(fleet: Fleet, database: Database, rng: Random, over: asyncio.Event) -> int:
    """Return how many jobs were in hand at these moments."""
    in_hand = 0
    while not over.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await until(database, IN_HAND)
        moment = rng.choice([*Moment])
        if moment is Moment.ANY:
            await asyncio.sleep(rng.uniform(0, 0.2))  # before the job's effect, or after it
        places = rng.choice([PLACES, PLACES[:1], PLACES[1:]])
        await asyncio.gather(*(fleet.kill_worker(place, moment) for place in places))
        picked = await fetch(database, "SELECT id FROM jobs.pgqueuer WHERE status = 'picked'")
        await until_working(database, len(PLACES) - len(places))
        for place in places:
            fleet.start_worker(place)
        await until_working(database, len(PLACES))
        # A job that loses worker after worker would rightly be dead.
        ids = [row["id"] for row in picked]
        await until(database, "NOT EXISTS (SELECT FROM jobs.pgqueuer WHERE id = ANY(:ids))", ids=ids)
        in_hand += len(ids)
    return in_hand


async def read_mail(traffic: Traffic, database: Database, over: asyncio.Event) -> None:
    """Take out of the mail the tokens that prove an address."""
    last = 0
    query = "SELECT job_id, body FROM kept_mails WHERE job_id > :last ORDER BY job_id"
    while not over.is_set():
        for mail in await fetch(database, query, last=last):
            last = mail["job_id"]
            traffic.mailed += re.findall(r"^gwo_\S+$", mail["body"], re.MULTILINE)
        await asyncio.sleep(0.1)


async def until_enough(traffic: Traffic, database: Database, over: asyncio.Event) -> None:
    """Until the time is up, and every operation has made an event."""
    await asyncio.sleep(SECONDS)
    with suppress(TimeoutError):
        async with asyncio.timeout(120):
            while wanted := await unproved(traffic, database):
                traffic.wanted = wanted
                await asyncio.sleep(0.1)
    assert not await unproved(traffic, database)
    over.set()


async def unproved(traffic: Traffic, database: Database) -> set[str]:
    query = """
        SELECT DISTINCT split_part(request_id, '.', 1) AS operation
        FROM (SELECT request_id FROM workspace_events UNION ALL SELECT request_id FROM installation_events) _
    """
    return traffic.operations.keys() - SILENT - {row["operation"] for row in await fetch(database, query)}


async def write_and_kill(
    traffic: Traffic, fleet: Fleet, database: Database, cast: Cast, rng: Random
) -> tuple[Followed, str]:
    """Return what was followed meanwhile, and how many were killed."""
    over, settled = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as readers:
        followed = {
            id_: readers.create_task(follow(traffic, cast.host, id_, settled)) for id_ in cast.workspaces
        }
        async with asyncio.TaskGroup() as group:
            for writer in cast.writers:
                group.create_task(traffic.write(writer, over))
            apis = group.create_task(kill_apis(fleet, rng, over))
            jobs = group.create_task(kill_workers(fleet, database, rng, over))
            group.create_task(read_mail(traffic, database, over))
            group.create_task(until_enough(traffic, database, over))
        await settle(database)
        settled.set()
    return followed, f"killed {apis.result()} APIs, and workers while {jobs.result()} jobs were in hand"


async def check_feeds(
    traffic: Traffic, database: Database, cast: Cast, followed: Followed, events: Sequence[Event]
) -> None:
    """In each workspace that stands, everybody reads the same, and a copy made of it is what there is."""
    owners = """
        SELECT workspace_id::text, min(email) AS email FROM memberships
        JOIN workspaces ON workspaces.id = workspace_id JOIN users ON users.id = user_id
        WHERE memberships.role = 'owner' AND removed_at IS NULL AND workspaces.deleted_at IS NULL
        GROUP BY workspace_id
    """
    people = traffic.people | {cast.host.email: cast.host}
    over = asyncio.Event()
    over.set()
    for row in await fetch(database, owners):
        owner, workspace_id = people[row["email"]], row["workspace_id"]
        read = await follow(traffic, owner, workspace_id, over)
        assert read == [event for event in events if event.workspace_id == workspace_id]
        if workspace_id in followed:
            assert followed.pop(workspace_id).result() == read
        assert standing(replay(read, {})) == standing(await show(traffic, owner, workspace_id))
    assert not followed


async def test_events_are_the_mutations_and_effects_happen_once_whatever_is_killed(
    app: FastAPI, database: Database, rng: Random, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with (
        open_fleet(tmp_path, database, HEARTBEAT_SECONDS="2") as fleet,
        httpx2.AsyncClient(timeout=30) as client,
    ):
        traffic = Traffic(fleet, client, mutations(app.openapi()), rng)
        cast = await set_up(traffic, Callers(client, database, app.state.keys))
        accounts = await show_users(traffic, cast.host)
        followed, kills = await write_and_kill(traffic, fleet, database, cast, rng)
        events = await stored_events(database)
        request.node.add_report_section("call", "traffic", f"{kills}\n{summary(traffic.requests, events)}")
        check_requests(traffic.requests, events)
        check_order(events)
        await check_feeds(traffic, database, cast, followed, events)
        of_accounts = (event for event in events if event.kind == "user")
        assert replay(of_accounts, accounts) == await show_users(traffic, cast.host)
        letters = await fetch(database, "SELECT recipient, subject FROM kept_mails")
        await check_locks(database)
        await check_letters(database, [(row["recipient"], row["subject"]) for row in letters], events)
