"""What may leave in a log line: fields by name, and of their values nothing that looks like a secret."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

FIELDS = frozenset(
    {
        # the request
        *("method", "route", "path", "status", "outcome", "error_type", "error_code"),
        *("duration_ms", "ttfb_ms", "bytes_in", "bytes_out", "trace_sampled"),
        *("db_queries", "db_ms", "db_wait_ms", "jobs_ordered", "idempotent_replayed", "retries"),
        # its caller
        *("user_id", "workspace_id", "client_ip", "user_agent"),
        # the job
        *("job", "job_id", "attempt", "delay", "wait_ms"),
        # a delivery to a webhook
        *("delivery_id", "webhook_id", "type", "answer_status", "failure"),
        # a stream of changes
        *("kind", "frames", "open_seconds"),
        # an invariant
        *("rule", "found", "examples"),
        # who the process depends on
        *("dependency", "reason", "state"),
        # the log itself
        *("lost", "caller", "where"),
    }
)
"""What a line may say beside its standard fields; docs/logs.md tells what each one means."""

MAX_CHARACTERS = 1000
"""Of a field's value."""
MAX_NAMES = 10
"""Of fields that were left out."""

_LONGEST_NAME = 40
_LARGEST_NUMBER = 2**63 - 1  # in JSON, for most readers; NaN is not below it
_NOT_PLAIN = object()
_NUMBERS = (int, float)
_WRITTEN_AS_TEXT = (UUID, date)

# Each pattern below needs one of these; most values hold none.
_MARKS = ("@", "%40", "=", ":", "eyj", "gw", "whsec_", "bearer ", "basic ")
_KEY = r"(?:passw(?:or)?d|pwd|secret|token|auth|session|api[_-]?key|credential|jwt)[\w-]{0,20}[\"']?"
_VALUE = r"(?:\"[^\"]*\"?|'[^']*'?|(?!\[redacted)[^\s,;&)}\]]+)"
_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE), stays)
    for pattern, stays in (
        # a header, to the end of the line
        (r"((?:cookie|authorization)[\"']?\s{0,3}[:=]).*", r"\1 [redacted]"),
        (r"\b(bearer|(?-i:Basic)) +[^\s,;\"']{8,}", r"\1 [redacted]"),
        # userinfo of a URL
        (r"(?<=://)[^\s@]{0,200}@", "[redacted]@"),
        # key and value
        (rf"({_KEY}\s{{0,3}}[:=]\s{{0,3}}){_VALUE}", r"\1[redacted]"),
        # JWT, and the tokens of core/tokens.py
        (r"(?-i:eyJ)[\w-]{8,}(?:\.[\w-]*)*", "[redacted]"),
        (r"gw[a-z]_[\w.-]+", "[redacted]"),
        # the secret of a webhook
        (r"whsec_[\w+/=-]+", "[redacted]"),
        # e-mail address
        (r"(?<![\w.+-])[\w.+-]++(?:@|%40)[\w.-]+", "[redacted]"),
    )
)


def select(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what may leave, and the names of what was left out."""
    kept: dict[str, Any] = {}
    omitted: list[str] = []
    for name, value in fields.items():
        plain = _plain(value) if name in FIELDS else _NOT_PLAIN
        if plain is _NOT_PLAIN:
            omitted.append(_shown(name))
        else:
            kept[name] = plain
    if len(omitted) > MAX_NAMES:
        omitted[MAX_NAMES:] = [f"+{len(omitted) - MAX_NAMES}"]
    return kept, omitted


def scrub(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """Take out what looks like a token, a password or an e-mail address, wherever it stands."""
    text = text[: 2 * max_characters]  # a secret that is cut in two here is cut off below
    lowered = text.lower()
    for mark in _MARKS:
        if mark in lowered:
            text = _without_secrets(text)
            break
    return text if len(text) <= max_characters else f"{text[:max_characters]}…"


def printable(text: str) -> str:
    """Make control characters visible, so that a caller's line break or escape sequence does nothing."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _plain(value: object) -> Any:
    """Nothing but single values: what a container holds has names that nobody has allowed."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, _NUMBERS):
        return value if abs(value) <= _LARGEST_NUMBER else _NOT_PLAIN
    if value is None:
        return None
    return str(value) if isinstance(value, _WRITTEN_AS_TEXT) else _NOT_PLAIN


def _without_secrets(text: str) -> str:
    for pattern, stays in _SECRETS:
        text = pattern.sub(stays, text)
    return text


def _shown(name: object) -> str:
    """A name may come from a caller, too, as a key of a mapping."""
    fits = isinstance(name, str) and name.isascii() and name.isidentifier() and len(name) <= _LONGEST_NAME
    return str(name) if fits else "?"
