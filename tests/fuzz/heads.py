"""The beginnings of requests that no client means well, written down.

`@token@` and the like stand for what is there, see `Target.filled`.
"""

from collections.abc import Iterator
from itertools import cycle, product
from typing import Final

HOST: Final = b"Host: localhost\r\n"
AUTHORIZATION: Final = b"Authorization: Bearer @token@\r\n"
JSON: Final = b"Content-Type: application/json\r\n"

TARGETS: Final = (
    *(b"*", b"?x", b"#", b"\\health", b"health", b"localhost:80", b"//evil.example/health", b"///"),
    *(b"/" + b"/" * 5000, b"http://", b"http:///health", b"http://evil.example/api/v1/users/me"),
    *(b"https://a:b@localhost/health", b"http://[::1]/health", b"http://[::1/health"),
    *(b"http://localhost:99999/health", b"ws://localhost/api/v1/ws", b"/health#a", b"/health?"),
    *(b"/health??a=b#c", b"/health;a=b", b"/health/", b"/./health", b"/x/../health", b"/%", b"/%z"),
    *(b"/%zz", b"/%00", b"/%c0%af", b"/%ff%fe", b"/%ed%a0%80", b"/%f4%90%80%80", b"/%0d%0aA:%20b"),
    *(b"/%2f%2f", b"/\xff\xfe", b"/\xc3\xa9", b"/\x00", b"/\x7f", b"/a b", b"/a\tb", b'/"<>\\^`{|}'),
    *(b"/" + b"a" * 30_000, b"/" + b"%41" * 10_000, b"/" + b"a/" * 10_000, b"/api/v1/..%2f..%2fhealth"),
    *(b"/api/v1/tasks/%2e%2e", b"/api/v1/tasks/%00", b"/api/v1/tasks/@task@%00"),
    *(b"/api/v1/tasks/@task@%0a", b"/api/v1/files/..%2f..%2fetc%2fpasswd", b"/api/v1/files/%00"),
    *(b"/docs/..%2f..%2fsetup.py", b"/docs/%5c..%5c", b"/ops/api/loggers/%00", b"/metrics?name[]=%ff"),
    *(b"/openapi.json?%00",),
    *(b"/api/v1/workspaces?" + each for each in (b"%", b"=", b"&&&", b"limit", b"limit=1&limit=2")),
    *(b"/api/v1/workspaces?" + each for each in (b"limit=%zz", b"cursor=%00", b"limit=+5", b"limit=%2b5")),
    *(b"/api/v1/workspaces?" + each for each in (b"limit=5%00", b"a=b" * 5000, b"&" * 20_000, b"\xff")),
    *(b"/api/v1/workspaces?" + each for each in (b"sort=%ed%a0%80", b"total=%c0%80", b"limit=1;limit=2")),
    *(b"/api/v1/workspaces?" + each for each in (b"limit=1#&limit=x",)),
)  # fmt: skip
METHODS: Final = (
    *(b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"QUERY"),
    *(b"PRI", b"SOURCE", b"M-SEARCH", b"PROPFIND", b"get", b"G", b"", b"G\x00T", b"G\xffT", b"GET\t"),
    *(b"X" * 10_000,),
)  # fmt: skip
VERSIONS: Final = (
    *(b" HTTP/1.1", b" HTTP/1.0", b" HTTP/0.9", b" HTTP/1.2", b" HTTP/2.0", b" HTTP/3", b" HTTP/1.10"),
    *(b" HTTP/11.1", b"", b" ", b" http/1.1", b"  HTTP/1.1", b" HTTP/1.1 ", b" HTTP/1.1 x", b" HTTP /1.1"),
    *(b"\tHTTP/1.1", b" ICE/1.0", b" HTTP/1.1\x00", b" HTTP/-1.1", b" HTTP/1.", b" HTTP/1", b" HTTPS/1.1"),
    *(b" RTSP/1.0",),
)  # fmt: skip
BEGINNINGS: Final = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "many empty lines": b"\r\n" * 1000,
    "a line without end": b"GET /health HTTP/1.1",
    "a name without end": b"GET /health HTTP/1.1\r\nHos",
    "half a line break": b"GET /health HTTP/1.1\r",
    "line feeds alone": b"GET /health HTTP/1.1\nHost: localhost\n\n",
    "carriage returns alone": b"GET /health HTTP/1.1\rHost: localhost\r\r",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "SOCKS": b"\x05\x01\x00",
    "PROXY": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "SMTP": b"EHLO localhost\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "noise": bytes(range(256)) * 8,
    "zeros": bytes(1000),
}
STRANGE: Final = (
    *(b"", b":", b": v", b"A", b"A B: c", b"A : b", b"A\t: b", b" A: b", b"\tA: b", b"A\x00: b"),
    *(b"A: \x00", b"\xff: b", b"A: b\rC: d", b"A: b\nC: d", b"A: b\r\n c", b"A: b\r\n\tc", b"A: b\n\n"),
    *(b"A: \xff\xfe", b"A: \x01\x1f\x7f", b"A(): b", b"A: " + b"b" * 31_000, b"A" * 31_000 + b": b"),
    *(b"A: b\r\n" * 3000 + b"A: b", b"\x0bA: b", b"A: b\x0b", b"A:b:c", b"Via: " + b"a, " * 2000),
    *(b"Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",),
    *(b"Connection: upgrade\r\nUpgrade: TLS/1.0", b"Connection: upgrade\r\nUpgrade: websocket"),
    *(b"Connection: upgrade\r\nUpgrade: h2c, websocket",),
    *(b"Connection: upgrade\r\nConnection: x\r\nUpgrade: websocket\r\nUpgrade: h2c",),
    *(b"tracestate: " + b"a=b," * 5000, b"baggage: " + b"a=b;c=\xff," * 3000),
    *(
        b"Origin: http://[\r\nAccess-Control-Request-Method: " + each
        for each in (b"GET", b"\xff", b"", b"x" * 5000)
    ),
    *(
        b"Origin: http://a\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: " + each
        for each in (b"\xff", b"," * 5000)
    ),
)  # fmt: skip
VALUES: Final = {
    b"Host": (b"localhost", b"evil.example", b"", b"[::1", b"localhost:x", b"@\xff"),
    b"host": (b"a,b",),
    b"Authorization": (
        *(b"", b"Bearer", b"Bearer ", b"Bearer @token@", b"bearer  @token@ x", b"Basic !!!", b"Basic AAAA"),
        *(b"Bearer " + b"a." * 5000, b"Bearer \xff", b"Bearer a.b.c", b"Digest x="),
        *(b"Bearer gwk_" + b"x" * 3000, b"Bearer eyJhbGciOiJub25lIn0.e30."),
        *(b"Bearer @token@!!", b"Bearer @token@.@token@"),
    ),
    b"Cookie": (
        *(b"", b"=", b";;;", b"a=b; a=c", b'a="\\', b"\xff=\xfe", b"a=b; " * 5000, b"$Version=1; a=b"),
        *(b"__Host-refresh=\x7f", b"refresh_token=" + b"x" * 8000, b"a=\xed\xa0\x80"),
    ),
    b"Accept": (b"", b";q=", b"*/*;q=nan", b"*/*;q=1e400", b"text/html;q=-1," * 2000, b"a", b"\xff/\xfe"),
    b"Accept-Encoding": (b"gzip;q=1e400", b"*;q=0", b"identity;q=0", b"br;q=x", b"," * 5000),
    b"Accept-Language": (b"\xff",),
    b"Accept-Charset": (b"utf-99",),
    b"TE": (b"trailers",),
    b"Max-Forwards": (b"-1",),
    b"Connection": (b"close, keep-alive", b"Host, Authorization", b"upgrade", b",,,", b"\xff"),
    b"Upgrade": (b"websocket",),
    b"Keep-Alive": (b"timeout=-1, max=x",),
    b"Expect": (b"100-continue", b"200-ok", b"100-continue, x", b"\xff"),
    b"Range": (
        *(b"bytes=--1", b"bytes=-0", b"bytes=9-1", b"bytes=0-0" + b",0-0" * 5000, b"bytes=" + b"9" * 5000),
        *(b"lines=1-2", b"bytes", b"bytes=\xff", b"bytes=+1-2", b"bytes=1-\xd9\xa3", b"bytes=1_0-2_0"),
    ),
    b"If-Range": (b"\xff",),
    b"If-Modified-Since": (b"Thu, 99 Foo 99999999 25:61:61 GMT", b"\xff"),
    b"If-Unmodified-Since": (b"x",),
    b"If-Match": (b"", b"*", b'"', b'"1', b"1", b'W/"1"', b'"' + b"9" * 5000 + b'"', b'"1",' * 2000, b"\xff"),
    b"If-None-Match": (b"", b"*", b'"', b"\xff", b'"-1"', b'"99999999999999999999"', b'W/"' * 2000),
    b"Origin": (
        *(b"", b"null", b"http://[", b"http://[::1", b"http://a:b", b"\xff", b"http://" + b"a" * 9000),
        *(b"//",),
    ),
    b"X-Request-ID": (b"", b"\xff" * 8, b"a" * 9000, b"00000000\r\n b", b"\xd9\xa3" * 8),
    b"traceparent": (
        *(b"", b"00-0-0-0", b"ff-" + b"f" * 32 + b"-" + b"f" * 16 + b"-01", b"00-" + b"0" * 32, b"\xff"),
        *(b"00-\xd9\xa3",),
    ),
    b"b3": (b"0",),
    b"X-Forwarded-For": (b"", b"\xff", b"1.1.1.1," * 3000, b"[::1", b"127.0.0.1:99999", b"unknown"),
    b"X-Forwarded-Proto": (b"javascript",),
    b"X-Forwarded-Host": (b"evil.example\xff",),
    b"Forwarded": (b"for=\xff;proto=",),
    b"X-Real-IP": (b"x",),
    b"Last-Event-ID": (b"", b"-1", b"x", b"9" * 5000, b"\xff", b"1_0", b"\xd9\xa3", b"1e3"),
    b"Idempotency-Key": (b"", b"\xff", b"x" * 9000, b"a\tb", b'"'),
    b"User-Agent": (b"", b"\xff\xfe", b"x" * 9000, b"Mozilla/5.0 (" * 1000),
    b"Content-Type": (b"", b"/", b"application/json; charset=utf-99", b"\xff", b"application/json;" * 1000),
    b"Content-Encoding": (b"gzip",),
    b"Content-Language": (b"\xff",),
    b"Sec-Fetch-Site": (b"\xff",),
    b"X-HTTP-Method-Override": (b"DELETE",),
}  # fmt: skip
LINES: Final = (
    *STRANGE,
    *(name + b": " + value for name, values in VALUES.items() for value in values),
)

_PLACES: Final = (
    b"GET /api/v1/users/me HTTP/1.1\r\n" + HOST + AUTHORIZATION,
    b"GET /api/v1/attachments/@attachment@/content HTTP/1.1\r\n" + HOST + AUTHORIZATION,
    b"PATCH /api/v1/tasks/@task@ HTTP/1.1\r\n" + HOST + AUTHORIZATION + JSON + b"Content-Length: 2\r\n",
    b"OPTIONS /api/v1/users/me HTTP/1.1\r\n" + HOST,
    b"POST /api/v1/auth/token HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n",
)


def with_lines() -> Iterator[bytes]:
    """Requests with something wrong in their first line, or one header of any."""
    yield from BEGINNINGS.values()
    yield from (b"GET " + target + b" HTTP/1.1\r\n" + HOST + AUTHORIZATION + b"\r\n" for target in TARGETS)
    for method, target in product(METHODS, (b"/health", b"/api/v1/users/me", b"*", b"localhost:80")):
        yield method + b" " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    yield from (b"GET /health" + version + b"\r\n" + HOST + b"\r\n" for version in VERSIONS)
    yield from (place + line + b"\r\n\r\n{}" for place, line in zip(cycle(_PLACES), LINES, strict=False))
    yield b"GET /health HTTP/1.1\r\n\r\n"
    yield b"GET /api/v1/users/me HTTP/1.1\r\n\r\n"
