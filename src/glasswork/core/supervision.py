"""Several processes that do the same: kept running, and stopped together."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from threading import Thread
from types import FrameType

import structlog

log = structlog.get_logger()

PAUSE_SECONDS = 1
"""Before the next process when one has failed: what it needs may be missing for a while."""
REPEAT_SECONDS = 0.1

Started = Callable[[], None]
Work = Callable[[Sequence[socket.socket], Started], None]

_SPAWN = get_context("spawn")


def supervise(number: int, work: Work, listeners: Sequence[socket.socket]) -> None:
    """Keep so many processes at work until SIGINT or SIGTERM, and then until they have ended.

    `work` is a function of a module; it is given the sockets, which all of them share, and says when it has
    begun. A process that ends is replaced. If one ends before any has begun, so does this: SystemExit.
    """
    _Supervisor(number, work, listeners).run()


class _Supervisor:
    def __init__(self, number: int, work: Work, listeners: Sequence[socket.socket]) -> None:
        self._work = work
        self._listeners = listeners
        self._has_begun = _SPAWN.Event()
        self._told: list[int] = []
        self._number = number
        self._processes: list[BaseProcess] = []

    def run(self) -> None:
        with self._hearing() as heard:
            self._processes = [self._start() for _ in range(self._number)]
            while not self._told:
                wait([heard, *(each.sentinel for each in self._processes)])
                self._replace(heard)
            # Who connects from now on must not be taken into a queue that nobody looks at.
            for each in self._listeners:
                each.close()
            self._end()

    def _start(self) -> BaseProcess:
        process = _SPAWN.Process(target=_begin, args=(self._work, self._listeners, self._has_begun))
        process.start()
        return process

    def _replace(self, heard: socket.socket) -> None:
        dead = [each for each in self._processes if not each.is_alive()]
        if not dead or self._told:
            return
        failed = [each.exitcode for each in dead if each.exitcode and each.exitcode > 0]
        if failed and not self._has_begun.is_set():
            self._end()
            sys.exit(failed[0])
        for each in dead:
            log.error("process.died", reason=f"exit code {each.exitcode}")
        if failed:
            wait([heard], PAUSE_SECONDS)
        if not self._told:
            self._processes = [each if each.is_alive() else self._start() for each in self._processes]

    def _end(self) -> None:
        """Pass on that they shall stop; said twice, it means that nobody wants to wait."""
        _stop(self._processes)
        while alive := [each for each in self._processes if each.is_alive()]:
            wait([each.sentinel for each in alive], REPEAT_SECONDS)
            if signal.SIGINT in self._told or len(self._told) > 1:
                _stop(alive)

    @contextmanager
    def _hearing(self) -> Iterator[socket.socket]:
        """Note what signals come; yield a socket that can be read from then on."""

        def hear(number: int, _frame: FrameType | None) -> None:
            self._told.append(number)

        heard, woken = socket.socketpair()
        with heard, woken:
            woken.setblocking(False)
            signal.set_wakeup_fd(woken.fileno())
            before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield heard
            finally:
                signal.set_wakeup_fd(-1)
                for number, handler in before.items():
                    signal.signal(number, handler)


def _stop(processes: Sequence[BaseProcess]) -> None:
    for each in processes:
        each.terminate()


def _begin(work: Work, listeners: Sequence[socket.socket], has_begun: Event) -> None:
    """Work in a process of its own, which stops when the one that looks after it is gone."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that goes tells it to all; one passes it on
    Thread(target=_stop_with_parent, daemon=True).start()
    work(listeners, has_begun.set)


def _stop_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
