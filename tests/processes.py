"""The real program, as a process."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import randrange
from threading import Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import httpx2

from tests.factories.callers import PASSWORD

PROGRAM = str(Path(sys.executable).with_name("glasswork"))
QUIET = {"LOG_LEVEL": "error", "LOG_FORMAT": "json"}

T = TypeVar("T")


def until(find: Callable[[], T | None], seconds: float = 30) -> T:
    """Ask other processes again and again, until there is something to return."""
    deadline = monotonic() + seconds
    while not (found := find()):
        assert monotonic() < deadline, f"not within {seconds} s"
        sleep(0.05)
    return found


def free_port() -> int:
    """Return one that stays free until it is used: below those that outgoing connections get."""
    while True:
        port = randrange(10_000, 32_000)  # noqa: S311 (no secret)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def postmaster(data_dir: Path) -> int | None:
    """Return the process that serves the embedded database, if there is one."""
    try:
        pid = int((data_dir / "postgres/data/postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return None
    return pid if "postgres" in command_line(pid) else None


def command_line(pid: int) -> str:
    """Empty where there is no such process."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    return ""


def children(pid: int) -> list[int]:
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    return [child for child, parent in parents.items() if parent == pid]


def run(
    *arguments: str, data_dir: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    where = ["--data-dir", str(data_dir)] if data_dir else []
    return subprocess.run(
        [PROGRAM, *arguments, *where],
        env=os.environ | QUIET | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Working:
    """`glasswork worker`."""

    def __init__(self, data_dir: Path, *, program: Sequence[str] = (PROGRAM,), **environment: str) -> None:
        command = [*program, "worker", "--data-dir", str(data_dir)]
        self.process = subprocess.Popen(command, env=os.environ | QUIET | environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Return the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=20)


class Serving:
    """`glasswork serve` on a free port."""

    def __init__(
        self, data_dir: Path, *arguments: str, program: Sequence[str] = (PROGRAM,), **environment: str
    ) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [*program, "serve", "--port", "0", "--data-dir", str(data_dir), *arguments],
            env=os.environ | QUIET | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output = ""

    def __enter__(self) -> Self:
        """Wait until it says that it is up."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.output += line
            if line.strip().startswith("API"):
                self.base_url = line.split()[1].removesuffix("/api/v1")
                break
        else:
            raise AssertionError(self.output)
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self.client = httpx2.Client(base_url=self.base_url, timeout=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.stop()
        self._reader.join(timeout=5)
        if self.process.stderr:
            self.process.stderr.close()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Return the exit code."""
        self.process.send_signal(by)
        return self.process.wait(timeout=20)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.output += line


class Served(Protocol):
    """Where the API answers, however many processes that are."""

    @property
    def base_url(self) -> str: ...

    @property
    def client(self) -> httpx2.Client: ...


def sign_in(serving: Served) -> httpx2.Client:
    """Return a client of the API for somebody new, the first one here."""
    ada = {"email": "ada@example.com", "username": "ada", "name": "Ada", "password": PASSWORD}
    assert serving.client.post("/api/v1/auth/register", json=ada).status_code == 201
    form = {"username": "ada", "password": PASSWORD}
    token = serving.client.post("/api/v1/auth/token", data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.Client(base_url=f"{serving.base_url}/api/v1", headers=headers, timeout=30)


def make(api: httpx2.Client, path: str, **body: Any) -> Any:
    """Post it, and return what came of it."""
    answer = api.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()
