"""Whatever becomes of where the lines go: nobody waits, nobody fails, and what is lost is counted."""

import json
import logging
import os
import select
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from glasswork.core.telemetry.lines import JsonFormatter
from glasswork.core.telemetry.sink import LogHandler

from .conftest import SECONDS
from .programs import command, run

CAPACITY = 10


class Sink:
    """A pipe, and a handler that writes to it."""

    def __init__(self, *, is_blocking: bool = True) -> None:
        self.reader, self.descriptor = os.pipe()
        os.set_blocking(self.descriptor, is_blocking)
        self.handler = LogHandler(self.descriptor, CAPACITY)
        self.handler.setFormatter(JsonFormatter({}))

    def log(self, *events: str, level: int = logging.INFO) -> None:
        for event in events:
            self.handler.handle(logging.makeLogRecord({"name": "library", "levelno": level, "msg": event}))

    def fill(self) -> None:
        """Leave no room in the pipe."""
        was_blocking = os.get_blocking(self.descriptor)
        os.set_blocking(self.descriptor, False)
        with suppress(BlockingIOError):
            while True:
                os.write(self.descriptor, b"\n" * 4096)
        os.set_blocking(self.descriptor, was_blocking)

    def has_room(self) -> bool:
        return bool(select.select([], [self.descriptor], [], 0)[1])

    def read(self, until: Callable[[list[dict[str, object]]], bool]) -> list[dict[str, object]]:
        """Return the lines, when the condition holds."""
        text = b""
        lines: list[dict[str, object]] = []
        deadline = monotonic() + SECONDS
        while not until(lines):
            assert monotonic() < deadline, lines
            if select.select([self.reader], [], [], SECONDS)[0]:
                # Slowly, so that it stays full for a while; what filled it goes.
                text = (text + os.read(self.reader, 1024)).lstrip(b"\n")
            lines = [json.loads(line) for line in text.split(b"\n")[:-1]]
        return lines

    def close(self) -> None:
        with suppress(OSError):
            os.close(self.reader)  # whoever still writes is woken
        self.handler.close()
        os.close(self.descriptor)


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + SECONDS
    while not condition():
        assert monotonic() < deadline
        sleep(0.001)


def events(lines: list[dict[str, object]]) -> list[object]:
    return [line["event"] for line in lines]


class TestQueue:
    def test_lines_are_written_in_their_order(self, sink: Sink) -> None:
        for number in range(300):
            sink.log(str(number))
            wait_until(lambda: sink.handler.queued < CAPACITY)
        lines = sink.read(lambda lines: len(lines) == 300)
        assert events(lines) == [str(number) for number in range(300)]
        assert sum(sink.handler.dropped.values()) == 0

    def test_when_it_is_full_lines_are_dropped_and_counted(self, sink: Sink) -> None:
        sink.fill()
        sink.log("in hand")
        wait_until(lambda: sink.handler.queued == 0)
        kept, lost = [f"kept {n}" for n in range(CAPACITY)], [f"lost {n}" for n in range(5)]
        sink.log(*kept, *lost)
        assert sink.handler.queued == CAPACITY
        assert sink.handler.dropped == {"queue_full": 5, "sink_failed": 0, "error": 0, "closed": 0}
        lines = sink.read(lambda lines: "log.lines_lost" in events(lines))
        assert events(lines) == ["in hand", *kept, "log.lines_lost"]
        assert (lines[-1]["lost"], lines[-1]["level"]) == (5, "warning")

    def test_the_loss_is_told_once(self, sink: Sink) -> None:
        sink.fill()
        sink.log(*map(str, range(CAPACITY + 5)))
        sink.read(lambda lines: "log.lines_lost" in events(lines))
        sink.log("an otter")
        assert sink.handler.drain(SECONDS)
        assert events(sink.read(bool)) == ["an otter"]

    def test_lines_are_counted_by_level(self, sink: Sink) -> None:
        for level in (5, 10, 20, 25, 30, 40, 50, 60):
            sink.log("an otter", level=level)
        assert sink.handler.lines == {"debug": 2, "info": 2, "warning": 1, "error": 1, "critical": 2}

    def test_its_thread_starts_with_the_first_line_and_ends_with_the_handler(self) -> None:
        before = set(threading.enumerate())
        sink = Sink()
        assert set(threading.enumerate()) <= before
        sink.log("an otter", "two otters")
        (writer,) = set(threading.enumerate()) - before
        sink.handler.close()
        assert events(sink.read(lambda lines: len(lines) == 2)) == ["an otter", "two otters"]
        wait_until(lambda: not writer.is_alive())
        sink.log("three otters")
        assert sink.handler.dropped["closed"] == 1
        sink.close()


class TestFailingSink:
    def test_a_full_disk_loses_lines_until_there_is_room(self, sink: Sink) -> None:
        sink.handler.descriptor = os.open("/dev/full", os.O_WRONLY)
        sink.log("lost", "lost too")
        assert sink.handler.drain(SECONDS)
        assert sink.handler.dropped["sink_failed"] == 2
        os.close(sink.handler.descriptor)
        sink.handler.descriptor = sink.descriptor
        sink.log("an otter")
        lines = sink.read(lambda lines: len(lines) == 2)
        assert events(lines) == ["an otter", "log.lines_lost"]
        assert lines[1]["lost"] == 2

    def test_a_reader_that_is_gone_is_no_failure(self, sink: Sink) -> None:
        os.close(sink.reader)
        sink.log("lost")
        assert sink.handler.drain(SECONDS)
        assert sink.handler.dropped["sink_failed"] == 1

    def test_nor_is_a_descriptor_that_is_closed(self, sink: Sink) -> None:
        sink.handler.descriptor = -1
        sink.log("lost")
        assert sink.handler.drain(SECONDS)
        assert sink.handler.dropped["sink_failed"] == 1

    def test_a_line_that_was_cut_off_does_not_spoil_the_next_one(self, tmp_path: Path) -> None:
        sink = Sink(is_blocking=False)
        sink.fill()
        os.read(sink.reader, 4096)  # room for the beginning of what comes
        assert sink.has_room()
        sink.log("\N{OTTER}" * 500)  # 12 bytes each
        wait_until(lambda: not sink.has_room())
        path = tmp_path / "log"
        with path.open("wb", buffering=0) as file:
            os.close(sink.reader)
            wait_until(lambda: sink.handler.dropped["sink_failed"] == 1)
            sink.handler.descriptor = file.fileno()
            sink.log("next")
            assert sink.handler.drain(SECONDS)
        cut, line, announcement = path.read_text().splitlines()
        assert cut == ""
        assert (json.loads(line)["event"], json.loads(announcement)["lost"]) == ("next", 1)
        sink.close()

    def test_a_pipe_that_does_not_block_is_waited_for(self) -> None:
        sink = Sink(is_blocking=False)
        sink.fill()
        otters = ["\N{OTTER}" * 600] * CAPACITY  # 12 bytes each: more than a pipe holds
        sink.log(*otters)
        assert events(sink.read(lambda lines: len(lines) == CAPACITY)) == otters
        assert sum(sink.handler.dropped.values()) == 0
        sink.close()


class TestEnd:
    def test_nothing_is_lost_when_the_program_ends(self) -> None:
        lines = run("""
            for number in range(5000):
                log.info("%d", number)
        """)
        assert [line["event"] for line in lines] == [str(number) for number in range(5000)]

    def test_a_sink_that_is_stuck_does_not_keep_the_program_from_ending(self) -> None:
        program = command("""
            for number in range(5000):
                log.info("%d", number)
            os.write(1, b"done")
        """)
        with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.read(4) == b"done"
            began = monotonic()
            assert process.wait(timeout=30) == 0
            assert monotonic() - began < 15

    def test_a_child_process_writes_too(self) -> None:
        lines = run("""
            log.info("parent")
            child = os.fork()
            log.info("child" if child == 0 else "parent again")
            if child:
                os.waitpid(child, 0)
        """)
        assert {line["event"] for line in lines if line["logger"] == "library"} == {
            "parent",
            "parent again",
            "child",
        }

    def test_a_program_without_stderr_works_and_counts(self) -> None:
        program = command("""
            taken = os.open(os.devnull, os.O_RDWR)  # gets the number that stderr had
            log.info("an otter")
            handler.drain(5)
            os.write(1, f"{taken} {handler.dropped['sink_failed']}".encode())
        """)
        closed = ["sh", "-c", 'exec "$@" 2>&-', "sh", *program]
        assert subprocess.check_output(closed, timeout=30) == b"2 1"


class Broken(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        raise RuntimeError(record.msg)


class TestLineThatCannotBeFormatted:
    def test_is_no_failure_of_who_logs(self, sink: Sink) -> None:
        sink.handler.setFormatter(Broken())
        sink.log("an otter")
        assert sink.handler.dropped["error"] == 1

    def test_is_replaced_by_one_that_says_where_it_comes_from(self) -> None:
        (line,) = run("""
            log.info("%d", "otter")
        """)
        assert (line["event"], line["level"]) == ("log.not_formatted", "error")
        assert line["caller"].startswith("<string>:")
        assert line["exception"]["type"] == "TypeError"
        assert "otter" not in json.dumps(line)
