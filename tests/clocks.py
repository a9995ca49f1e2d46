"""A process whose clock is wrong."""

from pathlib import Path

import pytest

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

needs_faketime = pytest.mark.skipif(
    LIBRARY is None, reason="needs libfaketime: apt-get install faketime (it comes with Debian and Ubuntu)"
)


def clock_off_by(minutes: int) -> dict[str, str]:
    """Return the environment of such a process; how fast time goes by stays right."""
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME": f"{minutes:+}m",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",  # as older versions call it
    }
