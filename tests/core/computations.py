"""What children of the tests compute; some call the test, which hears when they begin and are gone."""

import atexit
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def _call(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"{os.getpid()}\n".encode())
        yield line


def wait(port: int) -> int:
    """Until the test says a word; return the process."""
    with _call(port) as line:
        line.recv(1)
    return os.getpid()


def spin(port: int) -> None:
    with _call(port):
        while True:
            pass


def die(by: int) -> None:
    os.kill(os.getpid(), by)


def leave(exit_code: int) -> None:
    os._exit(exit_code)


def leave_late(exit_code: int) -> None:
    """After the answer."""
    atexit.register(os._exit, exit_code)


def double(data: bytes) -> bytes:
    return data * 2


def fail(message: str) -> None:
    raise LookupError(message)


def answer_with_a_function() -> object:
    return lambda: None


def print_everywhere() -> str:
    print("printed")  # noqa: T201 (it must be lost)
    print("printed", file=sys.stderr)  # noqa: T201 (likewise)
    for output in (1, 2):
        os.write(output, b"printed" * 100_000)
    return "answered"


def open_files() -> list[int]:
    found = []
    for number in range(256):
        with suppress(OSError):
            os.fstat(number)
            found.append(number)
    return found
