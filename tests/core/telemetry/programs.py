"""Small programs of their own, for what happens to logs when a process begins, forks and ends."""

import json
import subprocess
import sys
from textwrap import dedent
from typing import Any

PRELUDE = """
import logging, os
from glasswork.core.settings import Settings
from glasswork.core.telemetry.logs import configure_logs
settings = {"database_url": "postgresql+asyncpg://nobody@nowhere/nothing", "jwt_secret": "-" * 32}
handler = configure_logs(Settings(**settings, log_format="json"), "worker")
log = logging.getLogger("library")
"""


def command(program: str) -> list[str]:
    return [sys.executable, "-W", "always::DeprecationWarning:__main__", "-c", PRELUDE + dedent(program)]


def run(program: str) -> list[dict[str, Any]]:
    """Return the lines that it has logged when it has ended."""
    ended = subprocess.run(command(program), stderr=subprocess.PIPE, text=True, timeout=30, check=True)
    return [json.loads(line) for line in ended.stderr.splitlines()]
