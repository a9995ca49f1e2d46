"""What was recorded of the app, for the ceiling, which imports as little as it can."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import msgspec

API = "/api/v1"
PAGE = 50


class Recorded(msgspec.Struct):
    """A statement of the app."""

    sql: str
    arguments: list[Any]
    slots: dict[str, list[int]]
    """Which arguments are which value of the request."""
    fields: dict[str, list[str]]
    """The names in the answer's objects, in their order, by the place of the object: `` or `items`."""
    fingerprints: dict[str, str]
    """What cursors begin with, by the status whose column they go on, or by what is asked for."""


class Recording(msgspec.Struct):
    reads: dict[str, Recorded]
    trips: dict[str, int]
    """Round trips of each journey."""
    fingerprint: str
    """What cursors of a project's list begin with."""


class Setup(msgspec.Struct):
    """Of the ceiling."""

    url: str
    secret: str
    pool_size: int
    recording: Recording


def read_cursor(cursor: str) -> list[str]:
    values: list[str] = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return values


def write_cursor(values: Sequence[object]) -> str:
    text = json.dumps(values, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")
