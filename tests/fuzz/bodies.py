"""What requests claim that their bodies are, and bodies that are something else."""

from collections.abc import Iterator
from itertools import product
from typing import Final

from .heads import AUTHORIZATION, HOST, JSON

LENGTHS: Final = (
    *(b"+2", b"-2", b"2,2", b"2, 3", b"2 2", b"0x2", b"2.0", b"2e0", b"", b" ", b"02", b"2\x00"),
    *(b"\xd9\xa2", b"2;a=b", b"-0", b"9" * 20, b"9" * 5000, b"18446744073709551616"),
    *(b"9223372036854775808", b"4294967296", b"1000000000000", b"3", b"1"),
)  # fmt: skip
CODINGS: Final = (
    *(b"chunked", b"Chunked", b"chunked, chunked", b"identity", b"gzip, chunked", b"chunked, gzip"),
    *(b"xchunked", b"chunkedx", b" chunked ", b"\x0bchunked", b"chunked\x0b", b"\tchunked", b"chunked;q=1"),
    *(b'"chunked"', b"", b",chunked", b"chunked,", b"\xff"),
)  # fmt: skip
CHUNKS: Final = (
    *(b"2\r\n{}\r\n0\r\n\r\n", b"2;a=b\r\n{}\r\n0\r\n\r\n", b'2;a="\r\n"\r\n{}\r\n0\r\n\r\n'),
    *(b"2;\r\n{}\r\n0\r\n\r\n", b"2 \r\n{}\r\n0\r\n\r\n", b" 2\r\n{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n"),
    *(b"2\r{}\r0\r\r", b"2\r\n{}0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n", b"0x2\r\n{}\r\n0\r\n\r\n"),
    *(b"+2\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"\r\n{}\r\n0\r\n\r\n", b"g\r\n{}\r\n0\r\n\r\n"),
    *(b"f" * 15 + b"\r\n{}", b"f" * 16 + b"\r\n{}", b"f" * 17 + b"\r\n{}"),
    *(b"0" * 5000 + b"2\r\n{}\r\n0\r\n\r\n", b"2\r\n{", b"2\r\n", b"2", b"0\r\n\r\n", b"0\r\n", b"0"),
    *(b"00\r\n\r\n", b"0;a\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"0\r\nA\r\n\r\n", b"0\r\nA: \x00\r\n\r\n"),
    *(b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    *(b"0\r\nAuthorization: Bearer @token@\r\n\r\n", b"0\r\n" + b"A: b\r\n" * 20_000 + b"\r\n"),
    *(b"0\r\nA: " + b"b" * 100_000 + b"\r\n\r\n", b"0;" + b"a" * 100_000 + b"\r\n\r\n"),
    *(b"1\r\na\r\n" * 5000 + b"0\r\n\r\n", b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"1;a=b\r\na\r\n" * 5000),
)  # fmt: skip
BODIES: Final = {
    b"application/json": (
        *(b"", b"{", b"\xff", b"\x00", b"{}" * 100, b'{"email": "\xed\xa0\x80"}', b"[" * 50_000),
        *(b"\xef\xbb\xbf{}", b"1e999"),
    ),
    b"application/json; charset=utf-16": (b"\xff\xfe{\x00}\x00",),
    b"application/x-www-form-urlencoded": (
        *(b"", b"&", b"=", b"username", b"username=a&username=b&password=c", b"username=%&password=%zz"),
        *(b"username=%00&password=%00", b"username=%ff&password=%ed%a0%80", b"\xff=\xff"),
        *(b"username[]=a&password[x]=b", b"a=b&" * 5000),
    ),
    b"multipart/form-data": (b"--a\r\n",),
    b"multipart/form-data; boundary=": (b"--\r\n",),
    b"multipart/form-data; boundary=" + b"a" * 5000: (b"--" + b"a" * 5000,),
    b"multipart/form-data; boundary=a": (
        *(b"", b"--a", b"--a--", b"--b\r\n", b"--a\n\n--a--"),
        *(b"--a\r\n\r\n\r\n--a--", b"--a\r\nA\r\n\r\nb\r\n--a--"),
        b'--a\r\nContent-Disposition: form-data; name="username"; filename="../\x00"\r\n\r\nb\r\n--a--\r\n',
        b'--a\r\nContent-Disposition: form-data; name="username\r\n\r\nb\r\n--a--\r\n',
        b"--a\r\nContent-Disposition: form-data; name*=utf-8''%ff\r\nA: x\r\n\r\nb\r\n--a--\r\n",
        b'--a\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 3000 + b"--a--",
    ),
}  # fmt: skip


def with_bodies() -> Iterator[bytes]:
    json = b"POST /api/v1/auth/register HTTP/1.1\r\n" + HOST + JSON
    file = b"PUT /api/v1/tasks/@task@/attachments?name=a HTTP/1.1\r\n" + HOST + AUTHORIZATION
    for begin in (json, file, b"GET /health HTTP/1.1\r\n" + HOST, b"POST /health HTTP/1.0\r\n" + HOST):
        yield from (begin + b"Content-Length: " + length + b"\r\n\r\n{}" for length in LENGTHS)
        yield from (
            begin + b"Transfer-Encoding: " + coding + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n" for coding in CODINGS
        )
        yield from (begin + b"Transfer-Encoding: chunked\r\n\r\n" + chunks for chunks in CHUNKS)
    for path, (kind, bodies) in product((b"register", b"token", b"refresh"), BODIES.items()):
        for body in bodies:
            begin = b"POST /api/v1/auth/" + path + b" HTTP/1.1\r\n" + HOST + b"Content-Type: " + kind
            yield begin + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
