"""Requests that end in two places, and between them another one, which must not be carried out."""

import json
from collections.abc import Iterator
from itertools import count, product
from typing import Final

from .heads import AUTHORIZATION, HOST, JSON

SLUG: Final = "smuggled-"
AMBIGUOUS: Final = (
    b"Content-Length: %d\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: %d",
    b"Transfer-Encoding: identity\r\nContent-Length: %d",
    b"Content-Length: 0\r\nContent-Length: %d",
    b"Content-Length: %d\r\nContent-Length: 0",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nContent-Length: %d",
    *(b"Content-Length: " + each for each in (b"0,%d", b"+0", b"-0", b"0x%d", b"0 %d", b"0;%d", b"%d\x0b")),
    *(b"Content-Length : %d", b"Content-Length\t: %d", b" Content-Length: %d", b"A: 0\nContent-Length: %d"),
    *(b"Transfer-Encoding: " + each for each in (b"xchunked", b"chunked, identity", b"\x0bchunked", b"gzip")),
    *(b'Transfer-Encoding: "chunked"', b"Transfer-Encoding : chunked", b"Transfer-Encoding\x00: chunked"),
    *(b"\x00Transfer-Encoding: chunked", b"A: b\nTransfer-Encoding: chunked"),
    *(b"A: b\rTransfer-Encoding: chunked", b"A: b\r\n Transfer-Encoding: chunked"),
    b"A: b\r\n\r\x00Transfer-Encoding: chunked",
)
"""%d is how long everything is that follows."""
ENDS: Final = (b"", b"0\r\n\r\n", b"0\n\n", b"0\r\n\n")
BROKEN_CHUNKS: Final = (
    *(b"0x0\r\n\r\n", b"+0\r\n\r\n", b"-0\r\n\r\n", b"0\n\n", b"0\r\r", b"0\r\n\n", b" 0\r\n\r\n"),
    *(b"0 0\r\n\r\n", b"\r\n\r\n", b"0;a\n\r\n", b'0;a="\r\n\r\n', b"1\r\naX\r\n0\r\n\r\n"),
    *(b"1\r\naa\r\n0\r\n\r\n", b"10000000000000000\r\n\r\n", b"0\r\nA\r\n\r\n"),
)

_numbers = count(1)


def hidden() -> bytes:
    """Return a request that nobody could fail to understand; it makes a workspace of a name that tells."""
    body = json.dumps({"name": "Smuggled", "slug": f"{SLUG}{next(_numbers)}"}).encode()
    head = b"POST /api/v1/workspaces HTTP/1.1\r\n" + HOST + AUTHORIZATION + JSON
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def open_request() -> bytes:
    """One behind another, as it may be: what it makes is made."""
    return (
        b"POST /api/v1/auth/register HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 2\r\n\r\n{}" + hidden()
    )


def smuggled() -> Iterator[bytes]:
    begin = b"POST /api/v1/auth/register HTTP/1.1\r\n" + HOST + JSON
    for framing, end in product(AMBIGUOUS, ENDS):
        body = end + hidden()
        yield begin + framing.replace(b"%d", b"%d" % len(body)) + b"\r\n\r\n" + body
    for chunks in BROKEN_CHUNKS:
        yield begin + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + hidden()
    yield b"GET /health HTTP/1.0\r\n" + HOST + b"\r\n" + hidden()
    yield b"GET /health HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n" + hidden()
