import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glasswork.core.telemetry.logs import configure_logs
from tests.conftest import make_settings

RUNTIME = logging.getLogger("glasswork.core.telemetry.runtime")
"""Says that the loop stands still of an app that tests share: between them it does."""
SECONDS = 20
"""In which whatever a test waits for must have happened."""


class Log:
    """What is written to the log, into a file instead of to stderr."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)

    def configure(self, level: str = "info", log_format: str = "json") -> None:
        nowhere = "postgresql+asyncpg://nobody@nowhere/nothing"
        settings = make_settings(nowhere, log_level=level, log_format=log_format)
        self.handler = configure_logs(settings, "api")
        self.handler.descriptor = self._file.fileno()

    def close(self) -> None:
        self.handler.close()
        self._file.close()

    @property
    def text(self) -> str:
        assert self.handler.drain(SECONDS)
        return self._path.read_text()

    def lines(self, logger: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self.text.splitlines())
        return [line for line in lines if line["logger"] == logger]

    def line(self, logger: str = "library") -> dict[str, Any]:
        (line,) = self.lines(logger)
        return line


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Configured as for production; afterwards logging is as it was."""
    root = logging.getLogger()
    RUNTIME.disabled = True
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # else they would be closed
    log = Log(tmp_path / "log")
    log.configure()
    yield log
    log.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    RUNTIME.disabled = False
