"""What was read, as JSON."""

from typing import Any

import msgspec
from fastapi import Response

from glasswork.core.paging import Page

_encode = msgspec.json.Encoder().encode


def written(result: msgspec.Struct) -> Response:
    """An answer that no schema could look at: parts of it are JSON already."""
    return Response(_encode(result), media_type="application/json")


def json_bytes(result: Any) -> bytes | None:
    """Return the JSON of what `Read`s have read, or None of anything else.

    The rows of such a statement have the columns of the response's schema, and are not looked at again: tests
    compare what becomes of them with the schema.
    """
    if isinstance(result, msgspec.Struct):
        return _encode(result)
    if isinstance(result, Page) and (not result.items or isinstance(result.items[0], msgspec.Struct)):
        return _encode(result)
    return None
