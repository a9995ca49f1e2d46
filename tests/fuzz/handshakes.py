"""Requests for a WebSocket that are none, or strange ones."""

from collections.abc import Iterator
from typing import Final

from .heads import HOST

KEY: Final = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION: Final = b"Sec-WebSocket-Version: 13\r\n"
UPGRADE: Final = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
HANDSHAKE: Final = b"GET /api/v1/ws HTTP/1.1\r\n" + HOST + UPGRADE + KEY + VERSION + b"\r\n"

_DEFLATE: Final = b"Sec-WebSocket-Extensions: permessage-deflate; "
_LINES: Final = (
    *(b"", b"Host: localhost", b"Origin: http://[", b"Origin: http://localhost:x", b"Origin: \xff"),
    *(b"Origin: ", b"Origin: null"),
    *(b"Sec-WebSocket-Protocol: " + each for each in (b"", b"a", b",,,", b"\xff", b"a," * 4000, b"a\tb")),
    *(b"Sec-WebSocket-Extensions: " + each for each in (b"", b"x", b";", b"\xff", b"a=" + b"b" * 9000)),
    *(_DEFLATE + each for each in (b"server_max_window_bits=99", b"client_max_window_bits=\xd9\xa3")),
    *(_DEFLATE + each for each in (b"x", b"server_max_window_bits", b'a="', b"permessage-deflate;" * 100)),
    *(b"Content-Length: 5", b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Expect: 100-continue"),
    *(b"A: " + b"b" * 9000, b"A: b\r\n" * 200 + b"A: b", b"Cookie: " + b"a=b; " * 4000),
    *(b"Authorization: Bearer \xff", b"A: \xff", b"A(): b", b"A: \t", b"X-Request-ID: \xff"),
    *(b"traceparent: \xff", b"X-Forwarded-For: \xff", b"Sec-WebSocket-Accept: x", b"Connection: close"),
)
_KEYS: Final = (
    *(b"", b"x", b"====", b"\xff", b"AAAA", b"a" * 9000, b"dGhlIHNhbXBsZSBub25jZQ"),
    *(b"dGhlIHNhbXBsZSBub25jZQ== x", b"\xd9\xa3"),
)
_VERSIONS: Final = (b"", b"0", b"12", b"13, 8", b"013", b"-13", b"\xff", b"9" * 5000)
_PATHS: Final = (
    *(b"/", b"/health", b"/api/v1/ws/", b"/api/v1/ws?%00", b"/api/v1/ws%00", b"/%ff", b"//api/v1/ws"),
    *(b"*", b"http://[::1/", b"/api/v1/users/me", b"/api/v1/ws?" + b"a" * 20_000),
)
_METHODS: Final = (b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE", b"DELETE", b"PUT", b"PRI")
_UPGRADES: Final = (b"WebSocket", b"websocket, websocket", b"websocket/13", b"h2c", b"\xff", b"")


def handshakes() -> Iterator[bytes]:
    begin = b"GET /api/v1/ws HTTP/1.1\r\n"
    end = UPGRADE + KEY + VERSION + b"\r\n"
    yield from (begin + HOST + UPGRADE + KEY + VERSION + line + b"\r\n\r\n" for line in _LINES)
    for key in _KEYS:
        yield begin + HOST + UPGRADE + VERSION + b"Sec-WebSocket-Key: " + key + b"\r\n\r\n"
    for version in _VERSIONS:
        yield begin + HOST + UPGRADE + KEY + b"Sec-WebSocket-Version: " + version + b"\r\n\r\n"
    for upgrade in _UPGRADES:
        yield begin + HOST + KEY + VERSION + b"Connection: upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n"
    yield from (b"GET " + path + b" HTTP/1.1\r\n" + HOST + end for path in _PATHS)
    yield from (method + b" /api/v1/ws HTTP/1.1\r\n" + HOST + end for method in _METHODS)
    yield from (begin + HOST + KEY + end, begin + HOST + VERSION + end, begin + HOST + UPGRADE + b"\r\n")
    yield from (begin + end, begin + b"Host: evil.example\r\n" + end)
    yield b"GET /api/v1/ws HTTP/1.0\r\n" + HOST + end
    yield b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n" + HANDSHAKE
    yield b"POST /api/v1/auth/token HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}" + HANDSHAKE
