"""Computations that would hold up the event loop, each in a child process that dies with us.

Not by `anyio.to_process`: it keeps a child that was cancelled while it started, a child that fills its
stderr hangs, and Ctrl-C in a child becomes a KeyboardInterrupt in our loop.
"""

import asyncio
import os
import pickle
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread
from traceback import format_exc
from typing import TypeVar, TypeVarTuple, cast

from anyio import CapacityLimiter

A = TypeVarTuple("A")
R = TypeVar("R")


class ComputationError(Exception):
    """The function raised (a note shows where), or its process died."""


async def run_in_child(function: Callable[[*A], R], *arguments: *A) -> R:
    """Call a function that can be imported, in a process of its own; the process is killed on cancellation.

    Arguments and result are pickled. Raises ComputationError. What the function prints is lost.
    """
    request = pickle.dumps((function, arguments))
    async with _limiter():
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", __name__),  # -P: not what lies in the working directory
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,  # Ctrl-C is meant for us
        )
        try:
            # It stays open until we die, and by that the child notices.
            cast(asyncio.StreamWriter, child.stdin).write(request)
            answer = await cast(asyncio.StreamReader, child.stdout).read()
            exit_code = await child.wait()
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if exit_code or not answer:
        raise ComputationError(f"The process ended with {exit_code}.")
    result: R
    result, failure = pickle.loads(answer)  # noqa: S301 (our own child's)
    if failure:
        message, trace = failure
        error = ComputationError(message)
        error.add_note(trace)
        raise error
    return result


@cache
def _limiter() -> CapacityLimiter:
    """As many as there are CPUs: more would only take longer, and need more memory, all at once."""
    return CapacityLimiter(os.cpu_count() or 1)


def _answer() -> None:
    """Be the child: read one request, write one answer."""
    # Who stops a service stops all of its processes; whether we may finish is for the worker to say.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.closerange(3, 256)  # uvloop passes the server's socket on; opened early, it has a low number
    with os.fdopen(os.dup(1), "wb") as answers, Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # what is printed would garble the answer
        try:
            function, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 (our own parent's)
            Thread(target=_die_with_parent, daemon=True).start()
            answer = pickle.dumps((function(*arguments), None))
        except Exception as error:  # noqa: BLE001 (it is told to the parent)
            answer = pickle.dumps((None, (repr(error), format_exc())))
        answers.write(answer)


def _die_with_parent() -> None:
    """As soon as the GIL is free: a single long call into C ends first."""
    os.read(0, 1)  # until the end: nothing more is sent
    os._exit(1)


if __name__ == "__main__":
    _answer()
