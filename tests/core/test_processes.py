import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from glasswork.core.processes import ComputationError, run_in_child
from tests.core import computations
from tests.core.lines import Switchboard

pytestmark = pytest.mark.anyio

CPUS = os.cpu_count() or 1
MEGABYTE = 2**20


@pytest.fixture(autouse=True)
def _can_import_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.fixture
async def switchboard() -> AsyncIterator[Switchboard]:
    async with Switchboard() as switchboard:
        yield switchboard


def children() -> set[str]:
    listed = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True, check=False)
    return set(listed.stdout.split())


class TestFailures:
    @pytest.mark.parametrize(
        ("function", "argument", "exit_code"),
        [
            (sys.exit, 0, 0),
            (sys.exit, 3, 3),
            (computations.leave, 0, 0),
            (computations.leave, 3, 3),
            (computations.leave_late, 3, 3),
            (computations.die, signal.SIGKILL, -signal.SIGKILL),
            (computations.die, signal.SIGSEGV, -signal.SIGSEGV),
            (computations.die, signal.SIGINT, -signal.SIGINT),
        ],
    )
    async def test_a_child_that_dies_is_an_error(
        self, function: Callable[[int], None], argument: int, exit_code: int
    ) -> None:
        with pytest.raises(ComputationError, match=rf"^The process ended with {exit_code}\.$"):
            await run_in_child(function, argument)

    async def test_an_error_says_where_it_was_raised(self) -> None:
        with pytest.raises(ComputationError) as raised:
            await run_in_child(computations.fail, "gone")
        assert str(raised.value) == "LookupError('gone')"
        (note,) = raised.value.__notes__
        assert "computations.py" in note
        assert "in fail" in note

    async def test_a_child_that_dies_before_it_has_read_all_is_an_error(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.executable", "/bin/false")
        with pytest.raises(ComputationError):
            await run_in_child(computations.double, bytes(8 * MEGABYTE))

    async def test_what_cannot_be_imported_is_not_sent(self) -> None:
        with pytest.raises((pickle.PicklingError, AttributeError)):
            await run_in_child(lambda: None)

    async def test_what_cannot_be_imported_is_not_answered(self) -> None:
        with pytest.raises(ComputationError, match="pickle"):
            await run_in_child(computations.answer_with_a_function)


class TestAnswers:
    async def test_it_is_another_process_that_answers(self, switchboard: Switchboard) -> None:
        computing = asyncio.create_task(run_in_child(computations.wait, switchboard.port))
        line = await switchboard.answer()  # so our loop is free
        line.release()
        assert await computing == line.pid != os.getpid()

    async def test_much_goes_there_and_back(self) -> None:
        data = os.urandom(4 * MEGABYTE)
        assert await run_in_child(computations.double, data) == data * 2

    async def test_what_is_printed_goes_nowhere(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert await run_in_child(computations.print_everywhere) == "answered"
        assert capfd.readouterr() == ("", "")

    async def test_what_lies_in_the_working_directory_is_not_imported(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "pickle.py").write_text("raise SystemExit('not this one')")
        monkeypatch.chdir(tmp_path)
        assert await run_in_child(computations.double, b"1") == b"11"

    async def test_who_stops_us_does_not_stop_it(self, switchboard: Switchboard) -> None:
        computing = asyncio.create_task(run_in_child(computations.wait, switchboard.port))
        line = await switchboard.answer()
        assert os.getpgid(line.pid) != os.getpgid(0)  # Ctrl-C goes to our group
        os.kill(line.pid, signal.SIGTERM)  # as systemd does
        line.release()
        assert await computing == line.pid


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_open_files_are_not_passed_on(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, asyncio.Runner(loop_factory=new_loop) as runner:
        os.dup2(listener.fileno(), 200)  # inheritable, as that of `serve` is
        try:
            assert 200 in computations.open_files()
            assert 200 not in runner.run(run_in_child(computations.open_files))
        finally:
            os.close(200)


class TestCancellation:
    async def test_a_computation_that_is_cancelled_is_gone(self, switchboard: Switchboard) -> None:
        before = children()
        computing = asyncio.create_task(run_in_child(computations.spin, switchboard.port))
        line = await switchboard.answer()
        assert str(line.pid) in children()
        computing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await computing
        await line.until_gone()
        assert children() == before

    async def test_a_child_that_is_cancelled_while_it_starts_is_gone(self, switchboard: Switchboard) -> None:
        before, started = children(), False
        for turns in range(12):
            computing = asyncio.create_task(run_in_child(computations.spin, switchboard.port))
            for _ in range(turns):
                await asyncio.sleep(0)
            started = started or children() != before
            computing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await computing
            assert children() == before
        assert started


class TestLimit:
    async def test_there_are_no_more_children_than_cpus(self, switchboard: Switchboard) -> None:
        computing = [
            asyncio.create_task(run_in_child(computations.wait, switchboard.port)) for _ in range(CPUS + 1)
        ]
        lines = [await switchboard.answer() for _ in range(CPUS)]
        with pytest.raises(TimeoutError):
            await switchboard.answer(seconds=2)
        lines[0].release()
        lines.append(await switchboard.answer())
        for line in lines[1:]:
            line.release()
        assert sorted(await asyncio.gather(*computing)) == sorted(line.pid for line in lines)

    async def test_a_child_that_is_gone_makes_room(self) -> None:
        for _ in range(CPUS + 1):
            with pytest.raises(ComputationError):
                await run_in_child(computations.die, signal.SIGKILL)
        assert await run_in_child(computations.double, b"1") == b"11"
