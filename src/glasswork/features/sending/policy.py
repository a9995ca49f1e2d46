"""What an answer means, and when the next attempt is due."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from glasswork.core.outgoing import Answer, Reason

KEPT_CHARACTERS: Final = 1000
KEPT_HEADERS: Final = ("content-type", "content-length", "location", "retry-after")

ERRORS: Final[Mapping[Reason, str]] = {
    Reason.ADDRESS: (
        "The URL leads to an address that is not public, or to a port beside 80 and 443: nothing was sent."
        " Networks named in the setting WEBHOOK_ALLOW_CIDRS are allowed, with all their ports."
    ),
    Reason.NAME: "The name of the host has no address.",
    Reason.TLS: "TLS failed: is the certificate valid, for this name, and from a known authority?",
    Reason.CONNECTION: "There was no connection, or it broke off before the answer.",
    Reason.TIME: "There was no whole answer in time.",
    Reason.CONTENT: "The answer was not HTTP.",
}

# Of the time that a delivery is tried for: 5 seconds and 4 hours of a day.
_FIRST, _LONGEST = 1 / 17_280, 1 / 6


@dataclass(frozen=True, slots=True)
class Verdict:
    error: str | None = None
    """None: it was taken."""
    is_gone: bool = False
    retry_after: float | None = None
    """Seconds that the receiver asks for."""

    @property
    def is_delivered(self) -> bool:
        return self.error is None


def judge(answer: Answer) -> Verdict:
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Verdict()
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Verdict(f"It answered {status}; no redirect is followed.")
    wait = _seconds(answer.headers.get("retry-after"), datetime.now(UTC))
    return Verdict(f"It answered {status}.", is_gone=status == HTTPStatus.GONE, retry_after=wait)


def delay_after(tries: int, total: float, retry_after: float | None = None) -> float:
    """Return seconds until the next attempt, of a delivery that is tried for `total`.

    Twice as long each time; up to half of it is chance, so that receivers that come back are not overrun.
    """
    longest = total * _LONGEST
    delay: float = min(longest, total * _FIRST * 2.0 ** (tries - 1))
    waited = delay * random.uniform(0.5, 1)  # noqa: S311 (no secret)
    return max(waited, min(retry_after or 0, longest))


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0, (parsedate_to_datetime(retry_after) - now).total_seconds())
    except (ValueError, TypeError):
        return None
