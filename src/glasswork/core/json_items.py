"""Parts of a JSON document as its bytes come: never much more of it at once than one of them.

Numbers with a point are Decimals.
"""

from collections.abc import AsyncIterator, Generator
from typing import Any

import ijson

from glasswork.core.errors import ValidationError


class BrokenJsonError(ValidationError):
    code = "BROKEN_JSON"

    def __init__(self) -> None:
        super().__init__("The file is no JSON, or not all of it is there.")


def items(chunks: AsyncIterator[bytes], prefix: str) -> AsyncIterator[Any]:
    """Yield what lies at a place: `issues.item` is each of the list `issues`. Raises BrokenJsonError."""
    found = ijson.sendable_list()
    return _feed(chunks, ijson.items_coro(found, prefix), found)


def values(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, str, Any]]:
    """Yield `(prefix, event, value)` of everything in it, in order. Raises BrokenJsonError."""
    found = ijson.sendable_list()
    return _feed(chunks, ijson.parse_coro(found), found)


async def _feed(
    chunks: AsyncIterator[bytes], parser: Generator[None, bytes], found: list[Any]
) -> AsyncIterator[Any]:
    # Not by ijson's own async iterators: they drive what they read from in a way that no other stream bears.
    try:
        async for chunk in chunks:
            parser.send(chunk)
            for item in found:
                yield item
            found.clear()
        parser.close()
    except (ijson.JSONError, ValueError) as error:
        raise BrokenJsonError from error
    for item in found:
        yield item
