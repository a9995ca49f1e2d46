"""Runs pytest in forks of a process that has imported what no mistake can reach.

On its input are lines of JSON: first the names of the modules to import, then for each run the options and
the seconds it may take. The answer to a run is a line too: the exit code, or null when it took longer. What
is printed is in the file that the command line names.
"""

import gc
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module

import pytest

PAUSE_SECONDS = 0.02


def main() -> None:
    printed = sys.argv[1]
    for name in json.loads(sys.stdin.readline()):
        import_module(name)
    gc.freeze()  # what nobody looks at stays shared
    for line in sys.stdin:
        options, seconds = json.loads(line)
        run = os.fork()
        if run == 0:
            _run(options, printed)
        print(json.dumps(_exit_code(run, seconds)), flush=True)  # noqa: T201


def _run(options: Sequence[str], printed: str) -> None:
    os.setpgid(0, 0)
    file = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(file, stream.fileno())
    code = pytest.main([*options])
    sys.stdout.flush()
    os._exit(code)


def _exit_code(run: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(run, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(PAUSE_SECONDS)
    os.killpg(run, signal.SIGKILL)
    os.waitpid(run, 0)
    return None


if __name__ == "__main__":
    main()
