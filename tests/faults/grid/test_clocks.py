"""Nobody's clock is right: an API's, another one's, a worker's; and PostgreSQL's is a third one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.clocks import clock_off_by, needs_faketime
from tests.data_dirs import used_data_dir

from .cells import Cells
from .meeting import everybody, meet, tell
from .person import Person
from .stage import Stage, open_stage

pytestmark = [pytest.mark.anyio, pytest.mark.grid, pytest.mark.timeout(300), needs_faketime]


@asynccontextmanager
async def skewed(folder: Path, minutes: int) -> AsyncIterator[Stage]:
    """The first API is ahead by so many, the workers are as far behind, and the second API is right."""
    with used_data_dir() as data_dir:
        async with open_stage(data_dir, folder) as stage:
            stage.worker_environment = clock_off_by(-minutes)
            await stage.start_api(**clock_off_by(minutes))
            await stage.start_api()
            stage.start_worker()
            yield stage


@asynccontextmanager
async def as_it_is() -> AsyncIterator[None]:
    yield


@pytest.mark.fault("F16")
@pytest.mark.parametrize("minutes", [11, -11])
async def test_that_they_differ(tmp_path: Path, cells: Cells, minutes: int) -> None:
    async with skewed(tmp_path, minutes) as stage:
        async with everybody(stage) as journeys:
            trails = await meet(journeys, as_it_is(), 4)
            await tell(cells, trails)
        for there, elsewhere in (stage.apis, reversed(stage.apis)):
            await a_session_holds_everywhere(there.base_url, elsewhere.base_url)
        await the_clock_orders_once(stage)


async def a_session_holds_everywhere(there: str, elsewhere: str) -> None:
    async with Person(there) as person:
        await person.sign_up()
        answer = await person.sign_in()
        person.base_url = elsewhere
        assert (await person.ask("GET", "/users/me")).is_good
        proof = {"refresh_token": answer.body["refresh_token"]}
        renewed = await person.ask("POST", "/auth/refresh", json=proof)
        assert renewed.is_good
        person.token = renewed.body["access_token"]
        for url in (there, elsewhere):
            person.base_url = url
            assert (await person.ask("GET", "/users/me")).is_good


async def the_clock_orders_once(stage: Stage) -> None:
    """What is due by PostgreSQL's clock is done once, by whoever looks, and then not before its time."""
    job = "invariants.check"
    done = "SELECT count(DISTINCT job_id) AS done FROM jobs.pgqueuer_log WHERE entrypoint = $1"
    before = (await stage.query(done, job))[0]["done"]
    await stage.query("UPDATE jobs.pgqueuer_schedules SET next_run = now() WHERE entrypoint = $1", job)
    await stage.replace_worker()  # which looks when it starts
    async with asyncio.timeout(60):
        while (await stage.query(done, job))[0]["done"] == before:
            await asyncio.sleep(0.1)
    await stage.until_no_jobs()
    assert (await stage.query(done, job))[0]["done"] == before + 1
    (row,) = await stage.query(
        "SELECT next_run - now() AS pause FROM jobs.pgqueuer_schedules WHERE entrypoint = $1", job
    )
    assert timedelta(0) < row["pause"] <= timedelta(minutes=5)
