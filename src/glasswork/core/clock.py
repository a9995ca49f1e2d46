"""The time that all processes go by: PostgreSQL's, as it was told last.

What one process issues another one judges, and the clocks of their machines may differ.
"""

from datetime import UTC, datetime, timedelta
from time import time
from typing import Final

_EPOCH: Final = datetime.fromtimestamp(0, UTC)

_ahead = 0.0
"""Seconds by which PostgreSQL's clock is ahead of ours."""


def now() -> datetime:
    return _EPOCH + timedelta(seconds=time() + _ahead)


def set_clock(told: float, asked_at: float) -> None:
    """Go by what was told just now to who asked at `asked_at`: Unix seconds, the latter by our own clock."""
    global _ahead  # noqa: PLW0603 (a process has one clock)
    _ahead = told - (asked_at + time()) / 2
