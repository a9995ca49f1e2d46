import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from glasswork.core.db import Database
from glasswork.core.jobs import Job, Work
from tests.conftest import SECRET
from tests.core import computations
from tests.core.computing_program import COMPUTE
from tests.core.lines import Switchboard
from tests.core.runners import SECONDS, Note, fetch, history, jobs_of, open_clone, order, until_done, working
from tests.databases import Server
from tests.processes import QUIET

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
SERVE = ["serve", "--port", "0"]


@pytest.fixture(autouse=True)
def _can_import_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    async with open_clone(server) as database:
        yield database


@pytest.fixture
async def switchboard() -> AsyncIterator[Switchboard]:
    async with Switchboard() as switchboard:
        yield switchboard


class TestJobs:
    async def test_other_jobs_are_done_meanwhile(self, database: Database, switchboard: Switchboard) -> None:
        answers: asyncio.Queue[int] = asyncio.Queue()

        async def compute(work: Work, _: Note) -> None:
            answers.put_nowait(await work.in_child_process(computations.wait, switchboard.port))

        async def be_quick(_: Work, __: Note) -> None:
            pass

        long, short = Job("test.long", Note, compute), Job("test.short", Note, be_quick)
        computing = await order(database, long)
        async with working(database, long, short):
            line = await switchboard.answer()
            await until_done(database, await order(database, short))
            assert [job["id"] for job in await jobs_of(database)] == [computing]
            line.release()
            assert await answers.get() == line.pid

    @pytest.mark.parametrize(
        ("function", "argument"),
        [
            (computations.die, signal.SIGKILL),
            (computations.leave, 1),
            (sys.exit, 0),
            (computations.fail, "no"),
        ],
    )
    async def test_a_child_that_dies_is_tried_again(
        self, database: Database, function: Callable[[Any], None], argument: object
    ) -> None:
        attempts: list[int] = []

        async def run(work: Work, _: Note) -> None:
            attempts.append(work.id)
            if len(attempts) == 1:
                await work.in_child_process(function, argument)
            assert await work.in_child_process(computations.double, b"1") == b"11"

        job = Job("test.run", Note, run, max_attempts=2, first_delay=0.01)
        job_id = await order(database, job)
        async with working(database, job):
            await until_done(database, job_id)
        assert attempts == [job_id] * 2
        assert await history(database, job_id) == ["queued", "picked"] * 2 + ["successful"]

    async def test_a_dead_job_tells_where_its_computation_failed(self, database: Database) -> None:
        async def run(work: Work, _: Note) -> None:
            begun.set()
            await work.in_child_process(computations.fail, "no")

        begun = asyncio.Event()
        job = Job("test.run", Note, run, max_attempts=1)
        job_id = await order(database, job)
        async with working(database, job):
            await begun.wait()
        query = "SELECT traceback FROM jobs.pgqueuer_log WHERE job_id = :id AND status = 'failed'"
        (failed,) = await fetch(database, query, id=job_id)
        assert failed["traceback"]["exception_message"] == "LookupError('no')"
        assert "in fail" in failed["traceback"]["traceback"]

    @pytest.mark.slow
    async def test_the_time_limit_ends_the_computation(
        self, database: Database, switchboard: Switchboard
    ) -> None:
        async def run(work: Work, _: Note) -> None:
            await work.in_child_process(computations.spin, switchboard.port)

        job = Job("test.run", Note, run, seconds=2, first_delay=0.01)
        job_id = await order(database, job)
        async with working(database, job):
            for _ in range(2):
                line = await switchboard.answer()
                await line.until_gone()
        assert (await history(database, job_id))[:4] == ["queued", "picked"] * 2

    async def test_a_worker_that_stops_ends_the_computation_and_gives_the_job_back(
        self, database: Database, switchboard: Switchboard
    ) -> None:
        async def run(work: Work, _: Note) -> None:
            await work.in_child_process(computations.spin, switchboard.port)

        job = Job("test.run", Note, run, max_attempts=1)
        job_id = await order(database, job)
        async with working(database, job, finish_seconds=0):
            line = await switchboard.answer()
        await line.until_gone()
        assert await history(database, job_id) == ["queued", "picked", "queued"]


@asynccontextmanager
async def program(database: Database, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The real one, in a process group of its own."""
    url = database.engine.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.core.computing_program", *command),
        env=os.environ | QUIET | {"DATABASE_URL": url, "JWT_SECRET": SECRET},
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def end_of(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(SECONDS):
        _, errors = await process.communicate()
    return process.returncode, errors.decode()


@pytest.mark.slow
class TestProgram:
    @pytest.mark.parametrize("command", [["worker"], SERVE], ids=" ".join)
    async def test_a_worker_that_is_killed_takes_its_computation_with_it(
        self, database: Database, switchboard: Switchboard, command: list[str]
    ) -> None:
        await order(database, COMPUTE, Note(text=f"spin {switchboard.port}"))
        async with program(database, *command) as process:
            line = await switchboard.answer()
            process.kill()
            await line.until_gone()

    @pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
    async def test_a_server_that_is_stopped_ends_the_computation_and_gives_the_job_back(
        self, database: Database, switchboard: Switchboard, by: signal.Signals
    ) -> None:
        job_id = await order(database, COMPUTE, Note(text=f"spin {switchboard.port}"))
        async with program(database, *SERVE) as process:
            line = await switchboard.answer()
            os.killpg(process.pid, by)
            exit_code, errors = await end_of(process)
            await line.until_gone()
        assert exit_code == 0
        assert "Traceback" not in errors
        assert await history(database, job_id) == ["queued", "picked", "queued"]

    @pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
    async def test_a_worker_that_is_stopped_waits_for_a_short_computation(
        self, database: Database, switchboard: Switchboard, by: signal.Signals
    ) -> None:
        job_id = await order(database, COMPUTE, Note(text=f"wait {switchboard.port}"))
        async with program(database, "worker") as process:
            line = await switchboard.answer()
            os.killpg(process.pid, by)
            line.release()
            exit_code, errors = await end_of(process)
        assert (exit_code, errors) == (0, "")
        assert await history(database, job_id) == ["queued", "picked", "successful"]
