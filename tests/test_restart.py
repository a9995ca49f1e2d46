"""The real program, stopped under load: whoever is let in is answered, and what it started ends with it."""

import json
import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import httpx2
import pytest

from tests.data_dirs import used_data_dir
from tests.guarded import GET, HEAD, Caller
from tests.processes import Serving, command_line, postmaster, until
from tests.scrapes import total
from tests.test_drain import wait_for_all
from tests.test_serve import worker_processes

CALLERS = 8

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with used_data_dir() as folder:
        yield folder


class Load(Thread):
    """Ask again and again, until no connection is to be had any more."""

    def __init__(self, port: int, *, keeps: bool) -> None:
        super().__init__()
        self.told: Counter[str] = Counter()
        self._keeps = keeps
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self.start()

    def run(self) -> None:
        while True:
            try:
                self._connection.connect()
            except ConnectionRefusedError:
                return
            self._ask()
            self._connection.close()

    def _ask(self) -> None:
        """Once, or until it is told that this was the last answer."""
        is_last = False
        while not is_last:
            try:
                self._connection.request("GET", "/api/v1/users/me")
                answer = self._connection.getresponse()
                answer.read()
            except OSError as error:
                self.told[type(error).__name__] += 1
                return
            self.told[str(answer.status)] += 1
            is_last = answer.will_close or not self._keeps


@pytest.mark.parametrize("workers", ["1", "2"])
def test_whoever_is_let_in_is_answered(data_dir: Path, workers: str) -> None:
    limits = {"DRAIN_SECONDS": "1", "RATE_LIMIT_ENABLED": "false"}
    with Serving(data_dir, "--no-worker", "--workers", workers, **limits) as serving:
        begin(serving, workers)
        load = [Load(port_of(serving), keeps=number % 2 == 0) for number in range(CALLERS)]
        until(lambda: all(each.told["401"] > 20 for each in load))
        assert serving.stop() == 0
        for each in load:
            each.join(timeout=30)
    assert sum((each.told for each in load), Counter()).keys() == {"401"}
    assert "Traceback" not in serving.output


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_terminal_that_goes_stops_it_in_order(data_dir: Path, workers: str) -> None:
    with Serving(data_dir, "--workers", workers) as serving:
        begin(serving, workers)
        assert serving.stop(signal.SIGHUP) == 0
    assert postmaster(data_dir) is None


def test_one_that_is_stopped_alone_turns_nobody_away(data_dir: Path) -> None:
    with Serving(data_dir, "--no-worker", "--workers", "2") as serving:
        begin(serving, "2")
        (stopped, _) = worker_processes(serving)
        os.kill(stopped, signal.SIGTERM)
        while stopped in worker_processes(serving):
            with socket.create_connection(("127.0.0.1", port_of(serving)), timeout=0.9):
                pass


def test_processes_do_not_outlive_the_one_that_looks_after_them(data_dir: Path) -> None:
    with Serving(data_dir, "--workers", "2") as serving:
        begin(serving, "2")
        processes = worker_processes(serving)
        assert len(processes) == 2
        os.kill(serving.process.pid, signal.SIGKILL)
        until(lambda: not any("spawn_main" in command_line(pid) for pid in processes))
    database = postmaster(data_dir)
    assert database
    os.kill(database, signal.SIGINT)
    until(lambda: postmaster(data_dir) is None)


def test_who_dawdles_is_given_up(data_dir: Path) -> None:
    with Serving(data_dir, "--no-worker") as serving, ExitStack() as stack:
        dawdlers = [stack.enter_context(Caller(port_of(serving))).send(HEAD) for _ in range(300)]
        with Caller(port_of(serving)) as caller:
            assert caller.send(GET).read().status == 200
        assert {caller.read().status for caller in dawdlers} == {408}
        metrics = serving.client.get("/metrics").text
        assert total(metrics, "glasswork_connections_refused_total", reason="slow_head") == 300


def begin(serving: Serving, workers: str) -> None:
    """Wait for all of them, which takes its time where others begin too."""
    serving.client.timeout = httpx2.Timeout(100)
    wait_for_all(serving, workers)


def port_of(serving: Serving) -> int:
    return int(serving.base_url.rpartition(":")[2])


def test_a_refusal_before_there_is_a_request_is_found_by_its_id(data_dir: Path) -> None:
    with Serving(data_dir, "--no-worker", LOG_LEVEL="info") as serving:
        address = ("127.0.0.1", int(serving.base_url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=30) as caller:
            caller.sendall(b"no HTTP at all\r\n\r\n")
            head, _, body = b"".join(iter(lambda: caller.recv(65_536), b"")).partition(b"\r\n\r\n")
        error = json.loads(body)["error"]
        assert error["code"] == "MALFORMED_REQUEST"
        assert f"x-request-id: {error['request_id']}".encode() in head.lower()
        line = until(
            lambda: next((each for each in serving.output.splitlines() if "connection.refused" in each), "")
        )
    assert json.loads(line)["request_id"] == error["request_id"]
