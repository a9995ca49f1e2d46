"""Where log lines come from and where they go; lines.py has their shape, redaction.py what may be in them."""

import logging
import os
import sys
from importlib.metadata import version

import structlog

from glasswork.core.errors import BrokenOffError
from glasswork.core.settings import Settings
from glasswork.core.telemetry.lines import ConsoleFormatter, JsonFormatter
from glasswork.core.telemetry.sink import LogHandler

_STDERR = 2
_NOWHERE = -1


def configure_logs(settings: Settings, role: str) -> LogHandler:
    """Send every line of this process through one handler, and return it; the one before it is closed.

    `role` is what the process does: api, worker.
    """
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # No line tells them, and each record would ask for them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # When Python was started without stderr, that number may be anything's by now: a client's connection.
    handler = LogHandler(_STDERR if sys.stderr else _NOWHERE)
    handler.setFormatter(_formatter(settings, role))
    level = settings.log_level.upper()
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # one line a request is ours
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    # The first tells of its start and end in many lines, where ours are two; the next of each revision, the
    # others of each call: its URL and headers, whatever stands in them.
    for name in ("uvicorn.error", "alembic", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    return handler


def _is_news(line: logging.LogRecord) -> bool:
    """Of answers that are broken off we tell ourselves, and what it says of a refused handshake is wrong."""
    is_broken_off = line.exc_info is not None and isinstance(line.exc_info[1], BrokenOffError)
    return not is_broken_off and line.msg != "ASGI callable returned without completing handshake."


def _formatter(settings: Settings, role: str) -> logging.Formatter:
    if settings.log_format == "console":
        return ConsoleFormatter(has_colors=os.isatty(_STDERR))
    constants = {
        "service": "glasswork",
        "version": version("glasswork"),
        "environment": settings.environment.value,
        "role": role,
    }
    return JsonFormatter(constants)
