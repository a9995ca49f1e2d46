"""What a check has found."""

from dataclasses import dataclass
from enum import StrEnum

import asyncpg

from glasswork.core.settings import Environment, Settings


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


ERROR, WARNING, NOTE = Severity


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    severity: Severity
    """Of the fault, where there is one."""
    ok: bool | None
    """None: it could not be looked at."""
    evidence: str
    """What was seen; never a secret."""
    advice: str = ""
    """What to do; empty where all is well."""


def judge(name: str, severity: Severity, ok: bool, evidence: str, advice: str) -> Finding:
    return Finding(name, severity, ok, evidence, "" if ok else advice)


def not_looked_at(name: str, why: str) -> Finding:
    return Finding(name, NOTE, None, f"Not looked at: {why}.")


def in_production(settings: Settings, severity: Severity, elsewhere: Severity = NOTE) -> Severity:
    return severity if settings.environment is Environment.PRODUCTION else elsewhere


def reason_of(error: BaseException) -> str:
    """Words without what was sent: a message of a client may hold the address with its password."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    if isinstance(error, asyncpg.PostgresError):  # the server's words
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return type(error).__name__


def listed(names: list[str], most: int = 5) -> str:
    """Name the first ones."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
