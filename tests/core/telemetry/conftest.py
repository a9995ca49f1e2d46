import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from glasswork.core.telemetry.logs import configure_logs


class Log:
    """What is written to the log instead of to stderr."""

    def __init__(self) -> None:
        self._stream = StringIO()

    def configure(self, level: str = "info", log_format: str = "json") -> None:
        configure_logs(level, log_format)
        (handler,) = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(self._stream)

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def lines(self, logger: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self.text.splitlines())
        return [line for line in lines if line["logger"] == logger]


@pytest.fixture
def log() -> Iterator[Log]:
    """Configured as for production; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log = Log()
    log.configure()
    yield log
    root.handlers[:] = handlers
    root.setLevel(level)
