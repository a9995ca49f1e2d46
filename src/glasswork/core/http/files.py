"""Bytes that go out as they are stored: whole, or the range that is asked for."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Header
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from glasswork.core.errors import MalformedRequestError, RangeNotSatisfiableError
from glasswork.core.storage import Storage

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
# Of whatever type; and where none is known, of one that every generator of clients takes for bytes.
_ANY: Final = {"application/octet-stream": _BINARY, "*/*": _BINARY}
BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}
}
"""The `openapi_extra` of an operation whose body is a file."""
CONTENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "All of it.", "content": _ANY},
    206: {"description": "The range.", "content": _ANY},
    304: {"description": "It still has the ETag named in If-None-Match."},
}
"""The `responses` of an operation that answers with a file."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a file is asked for, and what of it the caller has."""

    range: str | None = None
    if_range: str | None = None
    if_none_match: str | None = None

    def has(self, etag: str) -> bool:
        known = self.if_none_match or ""
        return known.strip() == "*" or etag in (each.strip().removeprefix("W/") for each in known.split(","))

    def part(self, size: int, etag: str) -> tuple[int, int] | None:
        """Return where it begins and ends; None: all of it, as for several ranges at once.

        Raises RangeNotSatisfiableError.
        """
        found = _RANGE.fullmatch(self.range or "")
        if not found or found[0] == "bytes=-" or self.if_range not in {None, etag}:
            return None
        first, last = found.groups()
        if not first:
            start, end = max(0, size - int(last)), size
        else:
            start, end = int(first), min(size, int(last) + 1) if last else size
            if last and int(last) < int(first):
                return None
        if start >= size:
            raise RangeNotSatisfiableError(size)
        return start, end


async def _wanted(
    range_: Annotated[str | None, Header(alias="Range", description="One range of bytes.")] = None,
    if_range: Annotated[str | None, Header(description="Else all of it is wanted.")] = None,
    if_none_match: Annotated[
        str | None, Header(description="Answer without a body if the file still has this ETag.")
    ] = None,
) -> Wanted:
    return Wanted(range_, if_range, if_none_match)


Asked = Annotated[Wanted, Depends(_wanted)]


@dataclass(frozen=True, slots=True)
class File:
    object_id: UUID
    size: int
    media_type: str
    name: str
    tag: str
    """Of these bytes, and of no others."""


async def serve(storage: Storage, file: File, wanted: Wanted) -> Response:
    """To be kept, and never to be carried out by a browser in the name of this host."""
    etag = f'"{file.tag}"'
    if wanted.has(etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
    part = wanted.part(file.size, etag)
    start, end = part or (0, file.size)
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    status = HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK
    content = await storage.open(file.object_id, start, end)
    return StreamingResponse(content, status, headers, file.media_type)


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; raise MalformedRequestError when its sender leaves in the middle of it."""
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect as error:
        raise MalformedRequestError("The body broke off.") from error
