"""The real program, as a process."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

import httpx2

PROGRAM = str(Path(sys.executable).with_name("glasswork"))
QUIET = {"LOG_LEVEL": "error", "LOG_FORMAT": "json"}


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


class Serving:
    """`glasswork serve` on a free port."""

    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--port", "0", "--data-dir", str(data_dir), *arguments],
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
        self.client = httpx2.Client(base_url=self.base_url, timeout=10)
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
